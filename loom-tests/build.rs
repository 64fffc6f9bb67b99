//! Without its flag nothing here would be a model, and all would pass.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let given = std::env::var_os("CARGO_CFG_LOOM").is_some();
    assert!(given, "run this with RUSTFLAGS=\"--cfg loom\"");
}
