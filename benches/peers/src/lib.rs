pub mod echo;
pub mod floors;
pub mod measure;
pub mod rt;
pub mod work;

use rt::Rt;
use std::net::TcpListener;

const USAGE: &str = "peers WORKLOAD CONTENDER N [once]\npeers floor NAME N\npeers serve CONTENDER SECONDS (prints its port)\npeers load PORT CONNS SECONDS\npeers list";

fn print(w: &str, c: &str, n: u64, figs: work::Figures) {
    print!("{{\"w\":\"{w}\",\"c\":\"{c}\",\"n\":{n}");
    for (k, v) in figs {
        print!(",\"{k}\":{v:.2}");
    }
    println!("}}");
    // Runtimes differ in how they tear a million tasks down; that is not measured.
    std::process::exit(0)
}

pub fn cli() {
    // The `blocking` crate's own name for the same limit; set before any thread exists.
    unsafe { std::env::set_var("BLOCKING_MAX_THREADS", rt::workers().to_string()) };
    let a: Vec<String> = std::env::args().skip(1).collect();
    let a: Vec<&str> = a.iter().map(|s| s.as_str()).collect();
    match a[..] {
        ["list"] => println!(
            "{}\n{}\n{}",
            work::NAMES.join(" "),
            rt::NAMES.join(" "),
            floors::NAMES.join(" ")
        ),
        ["floor", name, n] => {
            let n = n.parse().unwrap();
            match floors::run(name, n) {
                Some(f) => print("floor", name, n, f),
                None => std::process::exit(3),
            }
        }
        ["serve", who, secs] => {
            let secs: u64 = secs.parse().unwrap();
            std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_secs(secs));
                std::process::exit(0)
            });
            let l = TcpListener::bind("127.0.0.1:0").unwrap();
            println!("{}", l.local_addr().unwrap().port());
            match who {
                "floor-epoll" => echo::bare_server(l),
                _ => with_rt!(who, R => {
                    if !R::HAS_ECHO { std::process::exit(3) }
                    R::run(move |h| R::echo(h, l))
                }),
            }
        }
        ["load", port, conns, secs] => {
            let conns = conns.parse().unwrap();
            print(
                "tcp_echo",
                "",
                conns as u64,
                echo::load(port.parse().unwrap(), conns, secs.parse().unwrap()),
            )
        }
        [w, c, n, ref rest @ ..] => {
            let n: u64 = n.parse().unwrap();
            let once = rest.first() == Some(&"once");
            match with_rt!(c, R => work::run::<R>(w, n, once)) {
                Some(f) => print(w, c, n, f),
                None => std::process::exit(3), // this contender has no such thing
            }
        }
        _ => {
            eprintln!("{USAGE}");
            std::process::exit(2)
        }
    }
}
