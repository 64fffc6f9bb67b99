//! [`SubprocessOptions`] and [`Stdio`]: the way in which a child process is started.

use alloc::format;
use alloc::vec::Vec;
use std::ffi::OsString;
#[cfg(unix)]
use std::os::fd::OwnedFd;
#[cfg(unix)]
use std::os::unix::process::CommandExt;
#[cfg(windows)]
use std::os::windows::io::OwnedHandle;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use super::started::Started;
use super::system::{Descriptor, own_stdout, pipe};
use crate::error::{Error, ErrorKind, Result, about};
use crate::net::DEFAULT_LIMIT;

/// One of the standard streams of a child process.
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Stdio {
    /// The stream of this process.
    #[default]
    Inherit,
    /// A pipe, the other end of which is a stream of this process: `PIPE`.
    Pipe,
    /// Nothing: `DEVNULL`.
    Null,
    /// A descriptor, or on Windows a handle, of the program's own.
    Fd(#[cfg(unix)] OwnedFd, #[cfg(windows)] OwnedHandle),
    /// Only for the standard error: where the standard output goes, in one pipe: `STDOUT`.
    Stdout,
}

/// Options of a child process. By default it has the standard streams, the environment and the
/// working directory of this process.
///
/// A child inherits no other descriptors than these, if all are closed on exec: those that Rust's
/// libraries open are.
#[derive(Debug)]
pub struct SubprocessOptions {
    stdin: Stdio,
    stdout: Stdio,
    stderr: Stdio,
    env: Option<Vec<(OsString, OsString)>>,
    cwd: Option<PathBuf>,
    #[cfg(unix)]
    process_group: Option<i32>,
    pub(super) limit: usize,
}

impl Default for SubprocessOptions {
    fn default() -> SubprocessOptions {
        let [stdin, stdout, stderr] = [Stdio::Inherit, Stdio::Inherit, Stdio::Inherit];
        SubprocessOptions {
            stdin,
            stdout,
            stderr,
            env: None,
            cwd: None,
            #[cfg(unix)]
            process_group: None,
            limit: DEFAULT_LIMIT,
        }
    }
}

impl SubprocessOptions {
    /// A child with everything that this process has.
    #[must_use]
    pub fn new() -> SubprocessOptions {
        SubprocessOptions::default()
    }

    /// A child of which all standard streams are pipes.
    #[must_use]
    pub fn piped() -> SubprocessOptions {
        SubprocessOptions::new().stdin(Stdio::Pipe).stdout(Stdio::Pipe).stderr(Stdio::Pipe)
    }

    /// Sets the standard input: `stdin`.
    #[must_use]
    pub fn stdin(mut self, stdin: Stdio) -> SubprocessOptions {
        self.stdin = stdin;
        self
    }

    /// Sets the standard output: `stdout`.
    #[must_use]
    pub fn stdout(mut self, stdout: Stdio) -> SubprocessOptions {
        self.stdout = stdout;
        self
    }

    /// Sets the standard error: `stderr`.
    #[must_use]
    pub fn stderr(mut self, stderr: Stdio) -> SubprocessOptions {
        self.stderr = stderr;
        self
    }

    /// Sets the whole environment of the child: `env`.
    #[must_use]
    pub fn env<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> SubprocessOptions {
        let own = |(name, value): (N, V)| (name.into(), value.into());
        self.env = Some(variables.into_iter().map(own).collect());
        self
    }

    /// Sets the working directory: `cwd`.
    #[must_use]
    pub fn cwd(mut self, folder: impl AsRef<Path>) -> SubprocessOptions {
        self.cwd = Some(folder.as_ref().to_owned());
        self
    }

    /// Puts the child into a process group, its own if `group` is 0: `process_group`.
    #[cfg(unix)]
    #[must_use]
    pub fn process_group(mut self, group: i32) -> SubprocessOptions {
        self.process_group = Some(group);
        self
    }

    /// Sets the limit of the readers of [`Process`](super::Process), in bytes: `limit`.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> SubprocessOptions {
        self.limit = limit;
        self
    }

    /// Starts the program of `command`.
    pub(super) fn start(self, mut command: Command) -> Result<Started> {
        let started = self.spawn(&mut command);
        let (child, shared) = about(started, || not_started(&command))?;
        Ok(Started::new(child, shared))
    }

    /// Starts the process, and returns the pipe of both outputs, if they share one.
    fn spawn(self, command: &mut Command) -> Result<(process::Child, Option<Descriptor>)> {
        if let Some(variables) = self.env {
            command.env_clear().envs(variables);
        }
        if let Some(folder) = self.cwd {
            command.current_dir(folder);
        }
        #[cfg(unix)]
        if let Some(group) = self.process_group {
            command.process_group(group);
        }
        let mut shared = None;
        let stderr = match (self.stderr, &self.stdout) {
            (Stdio::Stdout, Stdio::Pipe) => {
                let (reading, writing) = pipe()?;
                shared = Some(reading);
                command.stdout(process::Stdio::from(writing.try_clone()?));
                writing.into()
            }
            (Stdio::Stdout, Stdio::Fd(descriptor)) => descriptor.try_clone()?.into(),
            (Stdio::Stdout, Stdio::Null) => process::Stdio::null(),
            (Stdio::Stdout, _) => own_stdout()?.into(),
            (stderr, _) => plain(stderr)?,
        };
        command.stdin(plain(self.stdin)?).stderr(stderr);
        if shared.is_none() {
            command.stdout(plain(self.stdout)?);
        }
        Ok((command.spawn()?, shared))
    }
}

/// Names what could not be started: the working directory alone where that is missing.
fn not_started(command: &Command) -> String {
    let program = command.get_program();
    match command.get_current_dir() {
        Some(folder) if !folder.is_dir() => format!("can't start a process in {folder:?}"),
        Some(folder) => format!("can't start {program:?} in {folder:?}"),
        None => format!("can't start {program:?}"),
    }
}

/// The standard library's word for it.
fn plain(stdio: Stdio) -> Result<process::Stdio> {
    Ok(match stdio {
        Stdio::Inherit => process::Stdio::inherit(),
        Stdio::Pipe => process::Stdio::piped(),
        Stdio::Null => process::Stdio::null(),
        Stdio::Fd(descriptor) => descriptor.into(),
        Stdio::Stdout => {
            let message = "only the standard error can go where the standard output goes";
            return Err(Error::new(ErrorKind::Value, message));
        }
    })
}
