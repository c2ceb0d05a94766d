//! `include/lean_oracle.h` is what cbindgen makes of `src/capi`.
//!
//! `LEAN_ORACLE_BLESS=1 cargo test --release --test header` rewrites it.

#[test]
fn the_committed_header_is_current() {
    let root = env!("CARGO_MANIFEST_DIR");
    let config = cbindgen::Config::from_file(format!("{root}/cbindgen.toml")).expect("cbindgen.toml");
    let mut made = Vec::new();
    cbindgen::Builder::new()
        .with_config(config)
        .with_src(format!("{root}/src/capi/mod.rs"))
        .generate()
        .expect("src/capi is what cbindgen reads")
        .write(&mut made);
    let made = String::from_utf8(made).expect("a header is text");
    let path = format!("{root}/include/lean_oracle.h");
    if std::env::var_os("LEAN_ORACLE_BLESS").is_some() {
        std::fs::write(&path, &made).expect("include/ is writable");
    }
    let committed = std::fs::read_to_string(&path).expect("include/lean_oracle.h");
    assert!(made == committed, "run LEAN_ORACLE_BLESS=1 cargo test --release --test header");
    let exports =
        ["abi_version", "call_json", "unary", "unary_f64", "function_index", "cache_resize", "free"];
    let handles = ["client_new", "client_call", "client_close", "reply_free", "pool_new", "session_new"];
    for export in exports.into_iter().chain(handles) {
        let declared = made.matches(&format!(" lean_oracle_{export}(")).count();
        assert_eq!(declared, 1, "{export} must be declared once");
    }
}
