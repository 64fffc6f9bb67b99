//! Thousands of sockets.

use std::rc::Rc;

use callsoon::{TaskGroup, create_task};

use crate::child::is_child;
use crate::run::run;
use crate::support::sockets::async_local_pair;

const NAME: &str = "crowds::thousands_of_sockets_wait_at_once_and_each_hears_of_its_own";

#[test]
fn thousands_of_sockets_wait_at_once_and_each_hears_of_its_own() {
    const PAIRS: usize = 1900;
    if !is_child(NAME, if cfg!(unix) { "ulimit -n 4096" } else { "true" }) {
        return;
    }
    run(async {
        let mut peers = Vec::new();
        let mut waiting = Vec::new();
        for number in 0..PAIRS {
            let (ours, peer) = async_local_pair()?;
            peers.push(Rc::new(peer));
            waiting.push(create_task(async move {
                for round in 0..3 {
                    let mut heard = [0; 16];
                    let count = ours.read(&mut heard).await?;
                    assert_eq!(heard[..count], *format!("{number} {round}").as_bytes());
                    ours.write_all(b"!").await?;
                }
                ours.read(&mut [0]).await
            }));
        }
        for round in 0..3 {
            TaskGroup::scope(async |group| {
                for (number, peer) in peers.iter().cloned().enumerate() {
                    group.create_task(async move {
                        peer.write_all(format!("{number} {round}").as_bytes()).await?;
                        peer.read_exact(&mut [0]).await
                    })?;
                }
                Ok(())
            })
            .await?;
        }
        drop(peers);
        for task in waiting {
            assert_eq!(task.await?, 0);
        }
        Ok(())
    });
}
