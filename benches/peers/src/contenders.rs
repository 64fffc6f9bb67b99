//! The contenders, each by its name.

use std::net::TcpListener;

use crate::{
    measure::{Figures, Repeat},
    rt::{self, Rt},
    work,
};

/// A contender that has been chosen by its name.
pub struct Contender {
    pub name: &'static str,
    /// Runs a workload with so many of what it is about; nothing where the contender can't.
    pub work: fn(&str, u64, Repeat) -> Option<Figures>,
    /// Serves echo without end, where the contender can.
    pub serve: Option<fn(TcpListener)>,
}

const fn contender<R: Rt>(name: &'static str) -> Contender {
    let serve: fn(TcpListener) = |listener| R::run(move |h| R::echo(h, listener));
    Contender { name, work: work::run::<R>, serve: if R::HAS_ECHO { Some(serve) } else { None } }
}

pub const CONTENDERS: &[Contender] = &[
    contender::<rt::callsoon::Callsoon<false>>("callsoon"),
    contender::<rt::callsoon::Callsoon<true>>("callsoon-hp"),
    contender::<rt::tokio::LocalSet>("tokio-localset"),
    contender::<rt::tokio::LocalRuntime>("tokio-localrt"),
    contender::<rt::smol::Local>("smol-local"),
    contender::<rt::smol::Static>("smol-static"),
    contender::<rt::futures::LocalPool>("localpool"),
    #[cfg(feature = "monoio")]
    contender::<rt::monoio::Monoio<true>>("monoio"),
    #[cfg(feature = "monoio")]
    contender::<rt::monoio::Monoio<false>>("monoio-epoll"),
    #[cfg(feature = "compio")]
    contender::<rt::compio::Compio>("compio"),
    #[cfg(feature = "glommio")]
    contender::<rt::glommio::Glommio>("glommio"),
    contender::<rt::floor::Floor>("floor"),
];
