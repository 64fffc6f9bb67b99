//! Stands for signal-hook under loom. A signal is a call of [`low_level::raise`], which runs the hooks of
//! that signal in the order of their registration, with a step for loom before each.
//!
//! As in signal-hook a hook is taken out, or added, when no signal is amid its hooks. The hooks are kept in
//! a plain static, as those of a process are; so each model has a signal of its own.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use loom::sync::RwLock;

loom::lazy_static! {
    /// Read by signals, written by registrations.
    static ref AMID_HOOKS: RwLock<()> = RwLock::new(());
    /// A step of a signal or of a socket is a write of this, which loom tries in each order.
    static ref STEPS: loom::sync::atomic::AtomicUsize = loom::sync::atomic::AtomicUsize::new(0);
}

type Hook = Arc<dyn Fn() + Send + Sync>;

static HOOKS: Mutex<BTreeMap<(i32, usize), Hook>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicUsize = AtomicUsize::new(0);
static DEFAULTS: Mutex<BTreeMap<i32, usize>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Copy, Debug)]
pub struct SigId(i32, usize);

fn add(signal: i32, hook: Hook) -> SigId {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    HOOKS.lock().unwrap().insert((signal, number), hook);
    SigId(signal, number)
}

/// Returns how often the default action of `signal` was taken since the last call.
pub fn take_defaults(signal: i32) -> usize {
    DEFAULTS.lock().unwrap().remove(&signal).unwrap_or_default()
}

/// A step that loom tries in each order with those of signals.
pub fn mark() {
    STEPS.fetch_add(1, loom::sync::atomic::Ordering::Relaxed);
}

pub mod consts {
    pub const SIGINT: i32 = 2;
    pub const SIGKILL: i32 = 9;
    pub const SIGUSR1: i32 = 10;
    pub const SIGUSR2: i32 = 12;
    pub const SIGTERM: i32 = 15;
    pub const FORBIDDEN: &[i32] = &[SIGKILL];
}

pub mod flag {
    use super::*;

    pub fn register(signal: i32, flag: Arc<AtomicBool>) -> io::Result<SigId> {
        let _writes = AMID_HOOKS.write().unwrap();
        Ok(add(signal, Arc::new(move || flag.store(true, Ordering::SeqCst))))
    }

    /// Registered once in a process, and so in the first interleaving alone: it is no step.
    pub fn register_conditional_default(signal: i32, flag: Arc<AtomicBool>) -> io::Result<SigId> {
        let hook = move || {
            if flag.load(Ordering::SeqCst) {
                *DEFAULTS.lock().unwrap().entry(signal).or_default() += 1;
            }
        };
        Ok(add(signal, Arc::new(hook)))
    }
}

pub mod low_level {
    use super::*;

    pub fn signal_name(_signal: i32) -> Option<&'static str> {
        Some("a signal")
    }

    pub fn unregister(id: SigId) -> bool {
        let _writes = AMID_HOOKS.write().unwrap();
        let hook = HOOKS.lock().unwrap().remove(&(id.0, id.1));
        hook.is_some()
    }

    /// Has this thread interrupted by `signal`.
    pub fn raise(signal: i32) -> io::Result<()> {
        let _reads = AMID_HOOKS.read().unwrap();
        let hooks: Vec<Hook> = HOOKS
            .lock()
            .unwrap()
            .range((signal, 0)..(signal + 1, 0))
            .map(|it| it.1.clone())
            .collect();
        for hook in hooks {
            mark();
            hook();
        }
        mark();
        Ok(())
    }

    pub mod pipe {
        use super::*;

        pub fn register(signal: i32, socket: std::os::unix::net::UnixStream) -> io::Result<SigId> {
            let _writes = AMID_HOOKS.write().unwrap();
            Ok(add(signal, Arc::new(move || _ = (&socket).write(&[0]))))
        }
    }
}
