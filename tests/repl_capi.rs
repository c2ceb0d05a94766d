//! The pool through the C ABI: misuse, cancelling, closing. What it answers is the business of
//! `lean/Tests/Repl.lean`.

#[path = "peers/stand_in.rs"]
mod stand_in;

use std::ptr::{null, null_mut};
use std::time::Duration;

use lean_oracle::Code;
use lean_oracle::capi::*;
use serde_json::{Value, json};

fn empty() -> LeanOracleBuffer {
    LeanOracleBuffer { ptr: null_mut(), len: 0, cap: 0 }
}

/// The JSON in a buffer, which is freed.
fn json_in(mut buffer: LeanOracleBuffer) -> Value {
    if buffer.ptr.is_null() {
        return Value::Null;
    }
    // SAFETY: the library filled it and it was not changed.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.ptr, buffer.len) }.to_vec();
    // SAFETY: as above; it is not used any more.
    unsafe { lean_oracle_free(&mut buffer) };
    serde_json::from_slice(&bytes).expect("answers are JSON")
}

fn pool(config: &str) -> (i32, *mut LeanOraclePool, Value) {
    let (mut pool, mut error) = (null_mut(), empty());
    // SAFETY: everything lives long enough.
    let code = unsafe { lean_oracle_pool_new(config.as_ptr(), config.len(), &mut pool, &mut error) };
    (code, pool, json_in(error))
}

fn check(pool: *const LeanOraclePool, request: &str, cancel: *const LeanOracleCancel) -> (i32, Value) {
    let mut out = empty();
    // SAFETY: everything lives long enough.
    let code = unsafe { lean_oracle_pool_check(pool, request.as_ptr(), request.len(), cancel, &mut out) };
    (code, json_in(out))
}

fn session(pool: *const LeanOraclePool, request: &str) -> (i32, *mut LeanOracleSession, Value) {
    let (mut session, mut error) = (null_mut(), empty());
    // SAFETY: everything lives long enough.
    let code = unsafe {
        lean_oracle_session_new(pool, request.as_ptr(), request.len(), null(), &mut session, &mut error)
    };
    (code, session, json_in(error))
}

fn ask(session: *const LeanOracleSession, request: &str) -> (i32, Value) {
    let mut out = empty();
    // SAFETY: everything lives long enough.
    let code =
        unsafe { lean_oracle_session_request(session, request.as_ptr(), request.len(), null(), &mut out) };
    (code, json_in(out))
}

fn config(processes: usize) -> String {
    json!({"engine": {"repl": [stand_in::stand_in()]}, "max_processes": processes}).to_string()
}

/// What can be handed to another thread.
#[derive(Clone, Copy)]
struct Shared<T>(*const T);
// SAFETY: the library allows its handles to be used by any thread.
unsafe impl<T> Send for Shared<T> {}

impl<T> Shared<T> {
    fn get(self) -> *const T {
        self.0
    }
}

#[test]
fn misuse_is_refused() {
    let bad = Code::BadRequest.number();
    for (text, code) in [
        ("", Code::Parse),
        ("{", Code::Parse),
        ("[]", Code::BadRequest),
        (r#"{"engine":"python"}"#, Code::BadRequest),
        (r#"{"engine":{"repl":["/nonexistent/repl"]}}"#, Code::BadRequest),
        (r#"{"engine":{"repl":[]}}"#, Code::BadRequest),
        (r#"{"dir":"/nonexistent"}"#, Code::BadRequest),
        (r#"{"max_proceses":1}"#, Code::BadRequest),
        (r#"{"engine":{"repl":["sh"]},"max_processes":0}"#, Code::BadRequest),
    ] {
        let (number, handle, error) = pool(text);
        assert_eq!((number, handle), (code.number(), null_mut()), "{text}");
        assert_eq!(error["error"]["code"], code.name(), "{text}: {error}");
    }
    // SAFETY: NULL is what is tested; the texts live long enough.
    unsafe {
        let text = config(1);
        assert_eq!(lean_oracle_pool_new(text.as_ptr(), text.len(), null_mut(), null_mut()), bad);
        assert_eq!(lean_oracle_pool_new(null(), 5, null_mut(), null_mut()), bad);
        assert_eq!(lean_oracle_pool_check(null(), null(), 0, null(), null_mut()), bad);
        assert_eq!(lean_oracle_pool_status(null(), null_mut()), bad);
        lean_oracle_pool_close(null(), 0);
        lean_oracle_pool_free(null_mut());
        lean_oracle_session_close(null());
        lean_oracle_session_free(null_mut());
    }
    assert_eq!(check(null(), r#"{"snippets":[]}"#, null()).0, bad);
    assert_eq!(session(null(), "{}").0, bad);
    assert_eq!(ask(null(), "{}").0, bad);
    let (code, handle, error) = pool(&config(1));
    assert_eq!((code, error), (0, Value::Null));
    assert_eq!(check(handle, "{", null()).0, Code::Parse.number());
    assert_eq!(check(handle, r#"{"snippets":[{}]}"#, null()).0, bad);
    assert_eq!(check(handle, r#"{"snippets":[]}"#, null()), (0, json!({"results": []})));
    let (code, none, refused) = session(handle, r#"{"header":"def x := 1"}"#);
    assert_eq!((code, none, &refused["failure"]["kind"]), (bad, null_mut(), &json!("refused")));
    let (code, conversation, _) = session(handle, "{}");
    assert_eq!(code, 0);
    assert_eq!(ask(conversation, "{").0, Code::Parse.number());
    assert_eq!(ask(conversation, r#"{"unknown":1}"#).0, bad);
    assert_eq!(ask(conversation, r#"{"cmd":"def x := 1"}"#).1["response"]["env"], 1);
    assert_eq!(
        ask(conversation, r##"{"cmd":"#check x"}"##).1["response"]["messages"][0]["severity"],
        "error"
    );
    assert_eq!(
        ask(conversation, r##"{"cmd":"#check x","env":1}"##).1["response"]["messages"][0]["severity"],
        "info"
    );
    assert!(ask(conversation, r#"{"tactic":"rfl","proofState":9}"#).1["repl_error"].is_string());
    // The pool goes first.
    // SAFETY: both are freed once.
    unsafe { lean_oracle_pool_free(handle) };
    assert_eq!(ask(conversation, r#"{"cmd":""}"#).1["failure"]["kind"], "cancelled");
    // SAFETY: as above.
    unsafe { lean_oracle_session_free(conversation) };
}

#[test]
fn a_cancelled_batch_keeps_what_was_answered() {
    let (_, handle, _) = pool(&config(2));
    let flag = lean_oracle_cancel_new();
    let shared = Shared::<LeanOracleCancel>(flag);
    let setter = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(2));
        // SAFETY: it is freed after this thread has ended.
        unsafe { lean_oracle_cancel(shared.get()) };
    });
    let snippets = [("a", "def x := 1"), ("b", "#hang"), ("c", "def x := 1\n#check x"), ("d", "#hang\n")];
    let snippets = snippets.map(|(id, code)| json!({"id": id, "code": code}));
    let request = json!({"snippets": snippets, "timeout_ms": 120_000}).to_string();
    let (code, answer) = check(handle, &request, flag);
    setter.join().expect("a thread");
    let of = |i: usize| (&answer["results"][i]["id"], &answer["results"][i]["verdict"]);
    assert_eq!(code, 0);
    assert_eq!(of(0), (&json!("a"), &json!("valid")), "{answer}");
    assert_eq!(of(2), (&json!("c"), &json!("valid")), "{answer}");
    for i in [1, 3] {
        assert_eq!(answer["results"][i]["failure"]["kind"], "cancelled", "{answer}");
    }
    // Both processes were given up; the pool goes on.
    let (_, answer) = check(handle, r#"{"snippets":[{"code":"def x := 1"}]}"#, null());
    assert_eq!(answer["results"][0]["verdict"], "valid", "{answer}");
    // SAFETY: each is freed once.
    unsafe {
        lean_oracle_cancel_free(flag);
        lean_oracle_pool_free(handle);
    }
}

#[test]
fn closing_ends_what_is_under_way() {
    let (_, handle, _) = pool(&config(1));
    let shared = Shared::<LeanOraclePool>(handle);
    let checking = std::thread::spawn(move || {
        check(shared.get(), r##"{"snippets":[{"code":"#hang"}],"timeout_ms":120000}"##, null())
    });
    let mut busy = false;
    for _ in 0..3000 {
        let mut out = empty();
        // SAFETY: the pool is not freed yet.
        assert_eq!(unsafe { lean_oracle_pool_status(handle, &mut out) }, 0);
        busy = json_in(out)["busy"] == 1;
        if busy {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(busy, "the snippet is not at work");
    // SAFETY: the pool is not freed yet.
    unsafe { lean_oracle_pool_close(handle, 100) };
    let (code, answer) = checking.join().expect("a thread");
    assert_eq!((code, &answer["results"][0]["failure"]["kind"]), (0, &json!("cancelled")));
    let (code, answer) = check(handle, r#"{"snippets":[{"code":""}]}"#, null());
    assert_eq!((code, &answer["error"]["code"]), (Code::Cancelled.number(), &json!("cancelled")));
    // SAFETY: it is freed once.
    unsafe { lean_oracle_pool_free(handle) };
}
