//! Sends itself a datagram; a task sleeps for 10 ms and reads it.

use std::time::Duration;

use callsoon::{create_task, io::UdpSocket, run, sleep};

fn main() {
    let count = run(async {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.send_to(b"hello", socket.local_addr()?).await?;
        let task = create_task(async move {
            sleep(Duration::from_millis(10)).await?;
            let (count, _) = socket.recv_from(&mut [0; 64]).await?;
            Ok(count)
        });
        task.await
    });
    println!("{}", count.unwrap());
}
