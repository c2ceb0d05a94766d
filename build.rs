//! Names the shared library inside itself, so that whatever links it finds it by name and not by the
//! path of this machine's build folder. Where possible it also stays loaded for good: a thread of it may
//! be at work after the call that it was started for.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    match std::env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,liblean_oracle.so,-z,nodelete"),
        Ok("macos") => {
            println!("cargo:rustc-cdylib-link-arg=-Wl,-install_name,@rpath/liblean_oracle.dylib");
        }
        _ => {}
    }
}
