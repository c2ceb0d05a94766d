/-
Copyright (c) 2026 The lean-oracle authors. Released under Apache 2.0 license as described in the
file LICENSE.
-/
import Lake
open System Lake DSL

/-!
Builds the native library with cargo, the C shim with the compiler of the Lean toolchain, and the
Lean modules. In another package:

```
require leanOracle from git "<URL of this repository>" @ "v0.1.0"

-- and for every executable, on Linux: see `lean_exe Tests` below
lean_exe app where
  weakLinkArgs := #["-Wl,--allow-shlib-undefined"]
```
-/

package leanOracle where
  version := v!"0.1.0"
  description := "Rigorous enclosures from Arb, called from Lean"
  keywords := #["interval arithmetic", "Arb", "FLINT", "FFI"]
  license := "Apache-2.0"
  srcDir := "lean"

/-! ## The native library -/

/-- What cargo is asked to do. Part of the trace, so that a change of it builds anew. -/
def cargoArgs : Array String := #["build", "--release", "--lib", "--locked"]

/-- Everything cargo reads, as a job whose trace is the content of those files. -/
def cargoInputs (pkg : Package) : FetchM (Job Unit) := do
  let sources ← inputDir (pkg.dir / "src") true fun p => p.extension == some "rs"
  let mut others : Array (Job FilePath) := #[]
  for file in #["Cargo.toml", "Cargo.lock", "build.rs", "cbindgen.toml", "rust-toolchain.toml",
      ".cargo/config.toml"] do
    let path := pkg.dir / file
    if ← path.pathExists then
      others := others.push (← inputTextFile path)
  return sources.mix (Job.collectArray others "cargo inputs")

/-- The Rust `cdylib`, copied to `.lake/build/lib`. Cargo runs only when one of its inputs changed,
in the root of the package, where `.cargo/config.toml` applies. The first build compiles FLINT,
which takes several minutes. -/
target oracleNative pkg : Dynlib := do
  let fileName := nameToSharedLib "lean_oracle"
  let file := pkg.sharedLibDir / fileName
  (← cargoInputs pkg).mapM fun _ => do
    addPlatformTrace
    addPureTrace cargoArgs "cargo arguments"
    buildFileUnlessUpToDate' file do
      unless ← testProc { cmd := "cargo", args := #["--version"] } do
        error "lean-oracle: `cargo` was not found. Install Rust (https://rustup.rs), and run \
          `lake build` in a terminal once before opening an editor."
      let target := pkg.dir / "target"
      proc (quiet := true) {
        cmd := "cargo"
        args := cargoArgs ++ #["--target-dir", target.toString]
        cwd := pkg.dir
        -- Lake points this at the libraries of Lean, which the system's own compiler must not load.
        env := #[("LD_LIBRARY_PATH", none)]
      }
      createParentDirs file
      -- A new file: a running editor may have the old one mapped.
      if ← file.pathExists then IO.FS.removeFile file
      copyFile (target / "release" / fileName) file
    return ({ path := file, name := "lean_oracle" } : Dynlib)

/-! ## The C shim -/

input_file shim.c where
  path := "lean" / "ffi" / "shim.c"
  text := true

target shim.o pkg : FilePath := do
  let header ← inputTextFile (pkg.dir / "include" / "lean_oracle.h")
  let source := (← shim.c.fetch).zipWith (fun source _ => source) header
  buildLeanO (pkg.irDir / "ffi" / "shim.o") source
    #["-I", (pkg.dir / "include").toString]
    (pkg.buildType.leancArgs ++ #["-DLEAN_EXPORTING", "-fPIC"])

/-! ## Lean -/

/-- The raw bindings: one module, precompiled together with the shim, so that `#eval` can call
it. -/
@[default_target]
lean_lib LeanOracleFFI where
  precompileModules := true
  defaultFacets := #[LeanLib.leanArtsFacet, LeanLib.sharedFacet]
  moreLinkObjs := #[shim.o]
  moreLinkLibs := #[oracleNative]
  -- the native library lies in the same folder
  moreLinkArgs :=
    if Platform.isWindows then #[]
    else if Platform.isOSX then #["-Wl,-rpath,@loader_path"]
    else #["-Wl,-rpath,$ORIGIN"]

/-- Queries, balls and their theorems. Never precompiled. All modules below `LeanOracle` are built,
also those that `LeanOracle` itself does not import. -/
@[default_target]
lean_lib LeanOracle where
  globs := #[.andSubmodules `LeanOracle]

/-- The modules of the tests. -/
lean_lib TestModules where
  roots := #[`Tests.Arithmetic, `Tests.Certify, `Tests.Harness, `Tests.Malformed, `Tests.Matrices,
    `Tests.Repl, `Tests.TorchLean, `Tests.Transport]

/-- The run-time tests: `lake exe Tests`, `lake test`. -/
@[test_driver]
lean_exe Tests where
  root := `Tests
  -- Lean links executables against an older glibc than the native library may need; the system's
  -- own one is used when the program runs.
  weakLinkArgs :=
    if Platform.isWindows then #[]
    else if Platform.isOSX then #["-Wl,-rpath,@loader_path/../lib"]
    else #["-Wl,--allow-shlib-undefined", "-Wl,-rpath,$ORIGIN/../lib"]
