//! The load generator (plain epoll, one thread) and a bare epoll server as the floor.
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

const MSG: usize = 64;

fn epoll() -> i32 {
    unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) }
}
fn add(ep: i32, fd: i32, key: u64) {
    let mut e = libc::epoll_event { events: libc::EPOLLIN as u32, u64: key };
    assert_eq!(unsafe { libc::epoll_ctl(ep, libc::EPOLL_CTL_ADD, fd, &mut e) }, 0);
}

/// `conns` connections, one 64-byte message in flight on each, for `secs` after a 0.3 s warm-up.
pub fn load(port: u16, conns: usize, secs: f64) -> Vec<(&'static str, f64)> {
    let ep = epoll();
    let mut socks = vec![];
    for i in 0..conns {
        // glommio binds for itself, a moment after the port is announced
        let s = (0..200)
            .find_map(|_| match TcpStream::connect(("127.0.0.1", port)) {
                Ok(s) => Some(s),
                Err(_) => {
                    std::thread::sleep(Duration::from_millis(5));
                    None
                }
            })
            .expect("no server");
        s.set_nodelay(true).unwrap();
        s.set_nonblocking(true).unwrap();
        add(ep, s.as_raw_fd(), i as u64);
        socks.push((s, Instant::now(), 0usize));
    }
    let msg = [7u8; MSG];
    for (s, t, _) in &mut socks {
        *t = Instant::now();
        s.write_all(&msg).unwrap();
    }
    let warm = Instant::now() + Duration::from_millis(300);
    let end = warm + Duration::from_secs_f64(secs);
    let mut lat: Vec<u32> = Vec::with_capacity(4 << 20);
    let mut evs = [libc::epoll_event { events: 0, u64: 0 }; 64];
    let mut buf = [0u8; 1024];
    loop {
        let k = unsafe { libc::epoll_wait(ep, evs.as_mut_ptr(), 64, 1000) };
        if k <= 0 {
            panic!("server silent")
        }
        let mut now = Instant::now();
        for e in &evs[..k as usize] {
            let (s, t, got) = &mut socks[e.u64 as usize];
            *got += match s.read(&mut buf) {
                Ok(0) => panic!("server closed"),
                Ok(n) => n,
                Err(_) => continue,
            };
            if *got < MSG {
                continue;
            }
            *got = 0;
            now = Instant::now();
            if now > warm {
                lat.push((now - *t).as_nanos() as u32);
            }
            *t = now;
            s.write_all(&msg).unwrap();
        }
        if now > end {
            break;
        }
    }
    let n = lat.len();
    lat.sort_unstable();
    vec![
        ("rps", n as f64 / secs),
        ("p50_us", lat[n / 2] as f64 / 1e3),
        ("p99_us", lat[n * 99 / 100] as f64 / 1e3),
    ]
}

/// Level-triggered epoll, no runtime at all.
pub fn bare_server(l: TcpListener) {
    l.set_nonblocking(true).unwrap();
    let ep = epoll();
    add(ep, l.as_raw_fd(), u64::MAX);
    let mut socks: Vec<TcpStream> = vec![];
    let mut evs = [libc::epoll_event { events: 0, u64: 0 }; 256];
    let mut buf = [0u8; 1024];
    loop {
        let k = unsafe { libc::epoll_wait(ep, evs.as_mut_ptr(), 256, -1) }.max(0);
        for e in &evs[..k as usize] {
            if e.u64 == u64::MAX {
                while let Ok((s, _)) = l.accept() {
                    s.set_nodelay(true).unwrap();
                    s.set_nonblocking(true).unwrap();
                    add(ep, s.as_raw_fd(), socks.len() as u64);
                    socks.push(s);
                }
            } else {
                let s = &mut socks[e.u64 as usize];
                match s.read(&mut buf) {
                    Ok(n) if n > 0 => {
                        let _ = s.write(&buf[..n]);
                    }
                    Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
                    _ => unsafe {
                        libc::epoll_ctl(
                            ep,
                            libc::EPOLL_CTL_DEL,
                            s.as_raw_fd(),
                            std::ptr::null_mut(),
                        );
                    },
                }
            }
        }
    }
}
