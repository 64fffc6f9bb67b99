//! The simulated search, from its start to its end.

use std::collections::BTreeSet;

use fleet::simulation::{Health, Population, Resident};
use serde_json::{Value, json};

use crate::running::{ending, fresh, rows, run};

/// Returns what the program must report of a device, without the fields that depend on chance.
pub(crate) fn state(resident: &Resident) -> Value {
    let device = &resident.device;
    json!({
        "serial": device.serial.to_string(),
        "label": device.label.to_string(),
        "group": device.group.label.to_string(),
        "vendor": 1,
        "product": device.product,
        "power": device.power,
        "hue": device.color.hue,
        "saturation": device.color.saturation,
        "brightness": device.color.brightness,
        "kelvin": device.color.kelvin,
    })
}

/// Returns a row of `answered` without the fields that depend on chance.
pub(crate) fn told(row: &Value) -> Value {
    let mut row = row.clone();
    for name in ["address", "attempts", "latency_us"] {
        row.as_object_mut().unwrap().remove(name).unwrap();
    }
    row
}

#[test]
fn search_with_a_fifth_lost_finds_live_lights_and_names_dead() {
    let database = fresh("search.sqlite");
    let path = database.to_str().unwrap();
    let (code, output, errors) =
        run(&["--seed", "17", "--loss", "20", "--seconds", "30", "--json", "--database", path]);
    assert_eq!(code, 0, "{errors}");
    let outcome: Value = serde_json::from_str(&output).unwrap();

    let population = Population::new(200, 17, 20);
    let (live, dead): (Vec<_>, Vec<_>) =
        population.residents().iter().partition(|resident| resident.health == Health::Well);
    let expected: Vec<Value> = live.iter().copied().map(state).collect();
    let answered: Vec<Value> = outcome["answered"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(answered, expected);

    let reason = |health| match health {
        Health::Frozen => "no answer, asked 16 times",
        _ => "never seen",
    };
    let expected: Vec<Value> = dead
        .iter()
        .map(|resident| json!([resident.device.serial.to_string(), reason(resident.health), true]))
        .collect();
    let unanswered = outcome["unanswered"].as_array().unwrap().iter();
    let unanswered: Vec<Value> =
        unanswered.map(|row| json!([row["serial"], row["reason"], row["dead"]])).collect();
    assert_eq!(unanswered, expected);

    assert_eq!(outcome["ending"], "complete");
    assert_eq!(outcome["expected"], 200);
    assert!(outcome["seconds"].as_f64().unwrap() < 30.0);
    assert!(outcome["packets"]["sent"].as_u64().unwrap() > 3 * 195, "some were lost");
    let addresses = outcome["answered"].as_array().unwrap().iter().map(|row| &row["address"]);
    assert_eq!(addresses.map(Value::to_string).collect::<BTreeSet<_>>().len(), 195);

    let number = outcome["run"].as_i64().unwrap();
    assert_eq!(rows(&database, "answered", number), outcome["answered"]);
    assert_eq!(rows(&database, "unanswered", number), outcome["unanswered"]);
    assert_eq!(ending(&database, number).as_deref(), Some("complete"));
}

#[test]
fn the_summary_counts_the_lights_and_names_the_dead() {
    let database = fresh("summary.sqlite");
    let path = database.to_str().unwrap();
    let (code, output, errors) = run(&["--devices", "80", "--loss", "0", "--database", path]);
    assert_eq!(code, 0, "{errors}");
    assert!(output.contains("78 of 80 lights answered in"), "{output}");
    let population = Population::new(80, 1, 0);
    for resident in population.residents() {
        let serial = resident.device.serial.to_string();
        assert_eq!(output.contains(&serial), resident.health != Health::Well, "{serial}");
    }
    let first = errors.lines().next().unwrap();
    assert!(first.starts_with("looking for 80 simulated lights on 80 sockets at 127."), "{first}");
    assert!(output.contains("as run 1"), "{output}");

    let (_, output, _) = run(&["--devices", "1", "--loss", "0", "--database", path]);
    assert!(output.contains("1 of 1 lights answered"), "{output}");
    assert!(output.contains("as run 2"), "a database keeps its runs: {output}");
}

#[test]
fn lights_are_set_before_they_are_asked() {
    let database = fresh("set.sqlite");
    let path = database.to_str().unwrap();
    let base = ["--devices", "30", "--json", "--database", path];
    let orders = ["--set-power", "on", "--set-color", "120,1,0.5,3500"];
    let (code, output, errors) = run(&[&base[..], &orders].concat());
    assert_eq!(code, 0, "{errors}");
    let outcome: Value = serde_json::from_str(&output).unwrap();
    let answered = outcome["answered"].as_array().unwrap();
    assert_eq!(answered.len(), 30);
    for row in answered {
        let set =
            json!([row["power"], row["hue"], row["saturation"], row["brightness"], row["kelvin"]]);
        assert_eq!(set, json!([65_535, 21_845, 65_535, 32_768, 3500]));
    }
}

#[test]
fn out_of_time_it_says_what_it_has() {
    let database = fresh("out-of-time.sqlite");
    let path = database.to_str().unwrap();
    // Before that it can't be sure that the dead ones are.
    let (code, output, _) = run(&["--seconds", "0.5", "--json", "--database", path]);
    assert_eq!(code, 3);
    let outcome: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(outcome["ending"], "out_of_time");
    let number = outcome["run"].as_i64().unwrap();
    assert_eq!(rows(&database, "answered", number), outcome["answered"]);
    assert_eq!(ending(&database, number).as_deref(), Some("out_of_time"));
}

/// Everything is lost: all that is expected is named, and none of it was simulated as dead.
#[test]
fn exit_code_tells_that_no_light_answered() {
    let database = fresh("unanswered.sqlite");
    let path = database.to_str().unwrap();
    let arguments = ["--devices", "3", "--loss", "100", "--json", "--database", path];
    let (code, output, errors) = run(&arguments);
    assert_eq!(code, 3, "{errors}");
    let outcome: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(outcome["answered"], json!([]));
    assert_eq!(outcome["unanswered"].as_array().unwrap().len(), 3);
    assert_eq!(rows(&database, "unanswered", 1), outcome["unanswered"]);
}

#[cfg(unix)]
#[test]
fn where_file_descriptors_run_out_lights_share_sockets() {
    let database = fresh("few-descriptors.sqlite");
    let program = env!("CARGO_BIN_EXE_fleet");
    let script = format!(
        "ulimit -n 100 && exec {program} --devices 150 --json --database {}",
        database.display()
    );
    let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{errors}");
    let outcome: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(outcome["answered"].as_array().unwrap().len(), 147);
    let addresses = outcome["answered"].as_array().unwrap().iter().map(|row| &row["address"]);
    let sockets = addresses.map(Value::to_string).collect::<BTreeSet<_>>().len();
    assert!((20..100).contains(&sockets), "{sockets}");
}
