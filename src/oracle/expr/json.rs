//! Expressions in JSON.
//!
//! A node is `{"var": name}`, `{"const": number}` (a number as a string or a JSON number),
//! `{"op": name, "args": [node, …]}` or `{"let": {name: node, …}, "in": node}`; looked for in this
//! order, other keys ignored. Reading keeps its own stack, so depth is limited by memory only.

use std::collections::HashMap;

use json_event_parser::{JsonEvent, LowLevelJsonParser};

use super::{Builder, Expr, bad};
use crate::ball::Interval;
use crate::error::{Code, Error, Result};

/// A node as it was read.
#[derive(Default)]
struct Raw {
    var: Option<String>,
    constant: Option<String>,
    op: Option<String>,
    args: Option<Vec<usize>>,
    bindings: Vec<(String, usize)>,
    body: Option<usize>,
}

/// What is being read.
enum Frame {
    /// A node, and the key whose value comes next.
    Node(Raw, String),
    /// The `args` of the node below.
    Args(Vec<usize>),
    /// The `let` of the node below, and the name whose value comes next.
    Let(Vec<(String, usize)>, String),
}

/// What is to be built.
enum Task {
    Visit(usize),
    /// Build the operation of this node from the last values.
    Apply(usize),
    /// Take the last value as that of this binding of this node, then go on with the next.
    Bind(usize, usize),
    /// Go on with this binding of this node, or its body.
    Next(usize, usize),
    /// Forget the bindings of this node.
    Unbind(usize),
}

impl Expr {
    /// Reads a node, with numbers read exactly; powers of ten up to `exp_limit`.
    ///
    /// Errors: [`Code::Parse`] for text that is not JSON, [`Code::BadRequest`] for other nodes,
    /// unknown variables and wrong numbers of arguments, [`Code::UnknownFunction`], and those of
    /// [`Interval::parse`].
    pub fn from_json(json: &[u8], vars: Vec<String>, exp_limit: u32) -> Result<Expr> {
        let (nodes, root) = read(json)?;
        build(&nodes, root, Builder::new(vars), exp_limit)
    }
}

fn syntax(e: impl std::fmt::Display) -> Error {
    Error::new(Code::Parse, format!("the expression is not JSON: {e}")).at("expr")
}

/// Reads all nodes; returns them and the index of the outermost.
fn read(json: &[u8]) -> Result<(Vec<Raw>, usize)> {
    // Its stack is on the heap, and no deeper than the text is long.
    let mut parser = LowLevelJsonParser::new().with_max_stack_size(json.len());
    let mut at = 0;
    let mut nodes = Vec::new();
    let mut stack: Vec<Frame> = Vec::new();
    let mut finished: Option<usize> = None;
    // How deep the reader is inside a value that is ignored.
    let mut ignored = 0usize;
    loop {
        let next = parser.parse_next(&json[at..], true);
        at += next.consumed_bytes;
        let Some(event) = next.event else { continue };
        let event = event.map_err(syntax)?;
        if ignored > 0 {
            match event {
                JsonEvent::StartArray | JsonEvent::StartObject => ignored += 1,
                JsonEvent::EndArray | JsonEvent::EndObject => ignored -= 1,
                JsonEvent::Eof => return Err(syntax("it ends too early")),
                _ => {}
            }
            continue;
        }
        let node_expected = match stack.last() {
            None => finished.is_none(),
            Some(Frame::Node(_, key)) => key == "in",
            Some(Frame::Args(_) | Frame::Let(..)) => true,
        };
        match (event, stack.last_mut()) {
            (JsonEvent::Eof, _) => {
                return finished
                    .map(|root| (nodes, root))
                    .ok_or_else(|| bad("there is no expression".into()));
            }
            (JsonEvent::ObjectKey(name), Some(Frame::Node(_, key) | Frame::Let(_, key))) => {
                *key = name.into_owned()
            }
            (JsonEvent::StartObject, _) if node_expected => {
                stack.push(Frame::Node(Raw::default(), String::new()))
            }
            (JsonEvent::StartObject, Some(Frame::Node(_, key))) if key == "let" => {
                stack.push(Frame::Let(Vec::new(), String::new()));
            }
            (JsonEvent::StartArray, Some(Frame::Node(_, key))) if key == "args" => {
                stack.push(Frame::Args(Vec::new()))
            }
            (JsonEvent::StartArray | JsonEvent::StartObject, Some(Frame::Node(_, key))) => match key.as_str()
            {
                "args" => return Err(bad("expr args must be a list".into())),
                "var" | "const" | "op" | "let" => {
                    return Err(bad(format!("{key} is not a name or a number")));
                }
                _ => ignored = 1,
            },
            (JsonEvent::EndObject, Some(Frame::Node(..))) => {
                let Some(Frame::Node(raw, _)) = stack.pop() else { continue };
                nodes.push(raw);
                let index = nodes.len() - 1;
                match stack.last_mut() {
                    None => finished = Some(index),
                    Some(Frame::Node(parent, _)) => parent.body = Some(index),
                    Some(Frame::Args(args)) => args.push(index),
                    Some(Frame::Let(bindings, name)) => bindings.push((std::mem::take(name), index)),
                }
            }
            (JsonEvent::EndArray, Some(Frame::Args(_))) => {
                let Some(Frame::Args(args)) = stack.pop() else { continue };
                if let Some(Frame::Node(raw, _)) = stack.last_mut() {
                    raw.args = Some(args);
                }
            }
            (JsonEvent::EndObject, Some(Frame::Let(..))) => {
                let Some(Frame::Let(bindings, _)) = stack.pop() else { continue };
                if let Some(Frame::Node(raw, _)) = stack.last_mut() {
                    raw.bindings = bindings;
                }
            }
            (event, Some(Frame::Node(raw, key))) if !node_expected => scalar(raw, key, event)?,
            _ => return Err(bad("expr node must be an object".into())),
        }
    }
}

/// A string, number, boolean or null under `key` of a node.
fn scalar(raw: &mut Raw, key: &str, event: JsonEvent) -> Result<()> {
    let (text, is_number) = match event {
        JsonEvent::String(text) => (text.into_owned(), false),
        JsonEvent::Number(text) => (text.into_owned(), true),
        // As in the reference, null means absent.
        JsonEvent::Null => return Ok(()),
        _ => (String::new(), false),
    };
    match key {
        "const" => raw.constant = Some(text),
        "var" | "op" if is_number => return Err(bad(format!("{key} must be a string"))),
        "var" => raw.var = Some(text),
        "op" => raw.op = Some(text),
        "args" => return Err(bad("expr args must be a list".into())),
        _ => {}
    }
    Ok(())
}

fn build(nodes: &[Raw], root: usize, mut b: Builder, exp_limit: u32) -> Result<Expr> {
    let mut scope: HashMap<&str, Vec<usize>> = HashMap::new();
    let mut values: Vec<usize> = Vec::new();
    let mut tasks = vec![Task::Visit(root)];
    while let Some(task) = tasks.pop() {
        match task {
            Task::Visit(i) => {
                let node = &nodes[i];
                if let Some(name) = &node.var {
                    values.push(match scope.get(name.as_str()).and_then(|bound| bound.last()) {
                        Some(value) => *value,
                        None => b.name(name, false)?,
                    });
                } else if let Some(text) = &node.constant {
                    values.push(match b.constant(text.trim())? {
                        Some(value) => value,
                        None => b.number(Interval::parse(text, exp_limit).map_err(|e| e.at("expr"))?)?,
                    });
                } else if node.op.is_some() {
                    tasks.push(Task::Apply(i));
                    tasks.extend(node.args.iter().flatten().rev().map(|arg| Task::Visit(*arg)));
                } else if node.body.is_some() {
                    tasks.push(Task::Next(i, 0));
                } else {
                    return Err(bad("a node needs var, const, op or let with in".into()));
                }
            }
            Task::Apply(i) => {
                let node = &nodes[i];
                let (Some(op), count) = (&node.op, node.args.as_ref().map_or(0, Vec::len)) else { continue };
                let args = values.split_off(values.len() - count);
                values.push(b.operation(op, &args)?);
            }
            Task::Next(i, k) => match (nodes[i].bindings.get(k), nodes[i].body) {
                (Some((_, value)), _) => tasks.extend([Task::Bind(i, k), Task::Visit(*value)]),
                (None, Some(body)) => tasks.extend([Task::Unbind(i), Task::Visit(body)]),
                (None, None) => {}
            },
            Task::Bind(i, k) => {
                let value = values.pop().unwrap_or_default();
                scope.entry(&nodes[i].bindings[k].0).or_default().push(value);
                tasks.push(Task::Next(i, k + 1));
            }
            Task::Unbind(i) => {
                for (name, _) in &nodes[i].bindings {
                    scope.entry(name).or_default().pop();
                }
            }
        }
    }
    let root = values.pop().ok_or_else(|| bad("there is no expression".into()))?;
    Ok(b.finish(root))
}
