//! Readers that are fed by hand.

use std::rc::Rc;

use callsoon::net::{LimitOverrunError, StreamReader};
use callsoon::{Error, ErrorKind, EventLoop, Result, create_task, run_on, running_loop, yield_now};

fn run(main: impl Future<Output = Result<()>> + 'static) {
    run_on(&EventLoop::new(), main).unwrap();
}

fn fed(parts: &[&[u8]]) -> Result<StreamReader> {
    let reader = StreamReader::new()?;
    parts.iter().for_each(|part| reader.feed_data(part));
    Ok(reader)
}

fn error() -> Error {
    Error::new(ErrorKind::Value, "as told")
}

// CPython: test_streams.StreamTests.test_feed_empty_data
// CPython: test_streams.StreamTests.test_streamreader_constructor_use_running_loop
#[test]
fn reader_that_is_fed_nothing_waits() {
    run(async {
        let reader = Rc::new(fed(&[b""])?);
        let own = reader.clone();
        let reading = create_task(async move { own.read(1).await });
        yield_now().await?;
        reader.feed_data(b"");
        yield_now().await?;
        assert!(!reading.done());
        // It wakes on the loop that runs, which is the only one.
        reader.feed_data(b"x");
        assert_eq!(reading.await?, b"x");
        assert!(StreamReader::new().is_ok() && running_loop().is_ok());
        Ok(())
    });
    assert_eq!(StreamReader::new().unwrap_err().kind(), ErrorKind::Runtime);
}

// CPython: test_streams.StreamTests.test_read_exception
// CPython: test_streams.StreamTests.test_readline_exception
// CPython: test_streams.StreamTests.test_readexactly_exception
// CPython: test_streams.StreamTests.test_exception
#[test]
fn reader_with_an_error_reads_no_more() {
    run(async {
        let reader = fed(&[b"line\n", b"rest"])?;
        assert_eq!(reader.read(2).await?, b"li");
        assert_eq!(reader.readline().await?, b"ne\n");
        assert_eq!(reader.readexactly(1).await?, b"r");
        assert!(reader.exception().is_none());
        reader.set_exception(error());
        assert_eq!(reader.exception().unwrap().message(), "as told");
        let outcomes = [
            reader.read(2).await,
            reader.readline().await,
            reader.readexactly(2).await,
            reader.readuntil(b"t").await,
            reader.read_to_end().await,
        ];
        for outcome in outcomes {
            assert_eq!(outcome.unwrap_err().message(), "as told");
        }
        Ok(())
    });
}

// CPython: test_streams.StreamTests.test_exception_waiter
#[test]
fn read_that_waits_gets_the_error() {
    run(async {
        let reader = Rc::new(StreamReader::new()?);
        let own = reader.clone();
        let reading = create_task(async move { own.readline().await });
        yield_now().await?;
        reader.set_exception(error());
        assert_eq!(reading.await.unwrap_err().message(), "as told");
        Ok(())
    });
}

// CPython: test_streams.StreamTests.test_readuntil_multi_chunks
// CPython: test_streams.StreamTests.test_readuntil_multi_chunks_1
#[test]
fn separator_is_found_across_the_parts_that_come() {
    run(async {
        let cases: [(&[&[u8]], &[u8], &[u8]); 6] = [
            (&[b"lineAAAxxx"], b"lineAAA", b"xxx"),
            (&[b"QWEAA", b"XYAA", b"A"], b"QWEAAXYAAA", b""),
            (&[b"QWEAA", b"XYA", b"AA"], b"QWEAAXYAAA", b""),
            (&[b"AAA"], b"AAA", b""),
            (&[b"XAAA"], b"XAAA", b""),
            (&[b"XXX", b"A", b"A", b"A"], b"XXXAAA", b""),
        ];
        for (parts, expected, rest) in cases {
            // All at once, and each while the read waits for it.
            let reader = fed(parts)?;
            assert_eq!(reader.readuntil(b"AAA").await?, expected);
            reader.feed_eof();
            assert_eq!(reader.read_to_end().await?, rest);
            let reader = Rc::new(StreamReader::new()?);
            let own = reader.clone();
            let reading = create_task(async move { own.readuntil(b"AAA").await });
            for part in parts {
                yield_now().await?;
                reader.feed_data(part);
            }
            assert_eq!(reading.await?, expected);
        }
        Ok(())
    });
}

// CPython: test_streams.StreamTests.test_readuntil_multi_separator_negative_offset
#[test]
fn separators_may_be_longer_than_what_has_come() {
    run(async {
        let reader = Rc::new(fed(&[b"data"])?);
        let own = reader.clone();
        let reading = create_task(async move { own.readuntil_any(&[b"A", b"long sep"]).await });
        for part in [&b"Z"[..], b"Aaaa"] {
            yield_now().await?;
            reader.feed_data(part);
        }
        assert_eq!(reading.await?, b"dataZA");
        reader.feed_eof();
        assert_eq!(reader.read_to_end().await?, b"aaa");
        Ok(())
    });
}

/// The search goes on where it left off, as in CPython.
#[test]
fn readuntil_goes_on_after_another_read_took_its_data() {
    run(async {
        let reader = Rc::new(StreamReader::new()?);
        let own = reader.clone();
        let reading = create_task(async move { own.readuntil(b";").await });
        yield_now().await?;
        reader.feed_data(b"abc");
        yield_now().await?;
        reader.feed_data(b"d");
        assert_eq!(reader.read(4).await?, b"abcd");
        yield_now().await?;
        reader.feed_data(b"xyz;");
        assert_eq!(reading.await?, b"xyz;");
        Ok(())
    });
}

#[test]
fn reader_is_at_its_end_when_all_is_read() {
    run(async {
        let reader = fed(&[b"xy"])?;
        assert!(!reader.at_eof());
        reader.feed_eof();
        assert!(!reader.at_eof());
        assert_eq!(reader.read(1).await?, b"x");
        assert!(!reader.at_eof());
        assert_eq!(reader.read(1).await?, b"y");
        assert!(reader.at_eof());
        let empty = fed(&[])?;
        assert!(!empty.at_eof());
        Ok(())
    });
}

// CPython: test_streams.StreamTests.test_read_eof
#[test]
fn reader_that_waits_reads_nothing_at_the_end() {
    run(async {
        let reader = Rc::new(fed(&[])?);
        let own = reader.clone();
        let reading = create_task(async move { own.read(1024).await });
        yield_now().await?;
        assert!(!reading.done());
        reader.feed_eof();
        assert_eq!((reading.await?, reader.at_eof()), (Vec::new(), true));
        Ok(())
    });
}

// CPython: test_streams.StreamTests.test_readuntil_separator
#[test]
fn reader_needs_a_separator_that_is_not_empty() {
    run(async {
        let reader = fed(&[b"line"])?;
        let empty = "Separator should be at least one-byte string";
        let refusals = [
            (reader.readuntil(b"").await, empty),
            (reader.readuntil_any(&[b""]).await, empty),
            (reader.readuntil_any(&[]).await, "Separator should contain at least one element"),
        ];
        for (refused, message) in refusals {
            let error = refused.unwrap_err();
            assert_eq!((error.kind(), &*error.message()), (ErrorKind::Value, message));
        }
        Ok(())
    });
}

// CPython: test_streams.StreamTests.test_invalid_limit
#[test]
fn reader_limit_is_positive() {
    run(async {
        let refused = StreamReader::with_limit(0).unwrap_err();
        assert_eq!(
            (refused.kind(), &*refused.message()),
            (ErrorKind::Value, "Limit cannot be <= 0")
        );
        StreamReader::with_limit(1).map(drop)
    });
}

// CPython: test_streams.StreamTests.test_readuntil_limit_found_sep
#[test]
fn overrun_tells_if_the_separator_is_found() {
    run(async {
        let reader = StreamReader::with_limit(3)?;
        reader.feed_data(b"some dataAA");
        let found = async || {
            let error = reader.readuntil(b"AAA").await.unwrap_err();
            let overrun = error.downcast_ref::<LimitOverrunError>().expect("the limit");
            (overrun.to_string().contains("is found"), overrun.consumed)
        };
        assert_eq!(found().await, (false, 9));
        reader.feed_data(b"A");
        assert_eq!(found().await, (true, 9));
        assert_eq!(reader.readexactly(12).await?, b"some dataAAA");
        Ok(())
    });
}

// CPython: test_streams.StreamTests.test_exception_cancel
#[test]
fn set_exception_after_a_cancelled_read_is_kept() {
    run(async {
        for turns in 0..2 {
            let reader = Rc::new(StreamReader::new()?);
            let own = reader.clone();
            let reading = create_task(async move { own.readline().await });
            yield_now().await?;
            reading.cancel();
            for _ in 0..turns {
                yield_now().await?;
            }
            reader.set_exception(error());
            assert!(reading.await.unwrap_err().is_cancelled());
            assert_eq!(reader.readline().await.unwrap_err().message(), "as told");
        }
        Ok(())
    });
}
