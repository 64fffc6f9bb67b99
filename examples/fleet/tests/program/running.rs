//! Running the program, and reading what it leaves.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value, json};

/// The program with these arguments.
pub(crate) fn fleet(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
    command.args(arguments);
    command
}

/// Runs it to its end: its exit code, and what it wrote to both outputs.
pub(crate) fn run(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = fleet(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// The program while it runs. It is killed when this goes.
pub(crate) struct Running {
    pub(crate) child: Child,
    errors: BufReader<std::process::ChildStderr>,
}

impl Running {
    pub(crate) fn new(arguments: &[&str]) -> Running {
        let mut command = fleet(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        Running { child, errors }
    }

    /// The next line of what it says while it works.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.errors.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "it has ended");
        line
    }

    pub(crate) fn interrupt(&self) {
        self.signal("-INT");
    }

    pub(crate) fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Its exit code, and what else it wrote to both outputs.
    pub(crate) fn end(&mut self) -> (i32, String, String) {
        let mut output = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        let (code, errors) = self.end_without_output();
        (code, output, errors)
    }

    /// Its exit code, and what else it wrote to its error output.
    pub(crate) fn end_without_output(&mut self) -> (i32, String) {
        let mut errors = String::new();
        self.errors.read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().code().unwrap(), errors)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A path in the folder for what tests leave, where nothing is.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    for end in ["", "-wal", "-shm"] {
        let mut file = path.clone().into_os_string();
        file.push(end);
        let _ = std::fs::remove_file(file);
    }
    path
}

/// The rows of a table that belong to `run`, by serial, as the program's JSON has them.
pub(crate) fn rows(database: &Path, table: &str, run: i64) -> Value {
    let connection = Connection::open(database).unwrap();
    let query = format!("SELECT * FROM {table} WHERE run = ?1 ORDER BY serial");
    let mut statement = connection.prepare(&query).unwrap();
    let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
    let mut rows = statement.query([run]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let columns = names.iter().enumerate().filter(|(_, name)| *name != "run");
        let object: Map<String, Value> = columns
            .map(|(at, name)| {
                let value = match row.get_ref(at).unwrap() {
                    ValueRef::Integer(0 | 1) if name == "dead" => {
                        json!(row.get::<_, bool>(at).unwrap())
                    }
                    ValueRef::Integer(number) => json!(number),
                    ValueRef::Text(text) => json!(std::str::from_utf8(text).unwrap()),
                    ValueRef::Null => Value::Null,
                    other => panic!("{name}: {other:?}"),
                };
                (name.clone(), value)
            })
            .collect();
        found.push(Value::Object(object));
    }
    Value::Array(found)
}

/// Returns how `run` has ended, and asserts that the database is whole.
pub(crate) fn ending(database: &Path, run: i64) -> Option<String> {
    let connection = Connection::open(database).unwrap();
    let integrity = |row: &rusqlite::Row<'_>| row.get::<_, String>(0);
    assert_eq!(connection.query_row("PRAGMA integrity_check", [], integrity).unwrap(), "ok");
    let query = "SELECT ending FROM runs WHERE run = ?1";
    connection.query_row(query, [run], |row| row.get(0)).unwrap()
}
