//! The order of the result: every declaration after those that it needs, otherwise as in the files; what fails
//! comes last unless something needs it.

use std::collections::BTreeSet;

use super::analyse::Document;
use super::decide::{Decision, Place};

/// Classes in the order in which they are printed, or the ones that need each other in a circle.
///
/// # Errors
/// The chosen versions need each other.
pub fn order(documents: &[Document], decision: &Decision) -> Result<Vec<usize>, Vec<usize>> {
    let classes = &decision.classes;
    let class_at =
        |document: usize, command: usize| decision.class_of.get(&Place { document, command }).copied();
    let edges: Vec<(Vec<usize>, Option<usize>)> = classes
        .iter()
        .enumerate()
        .map(|(c, class)| {
            let Place { document, command } = class.chosen;
            let fact = &documents[document].facts[command];
            let mut needs: BTreeSet<usize> =
                fact.needs.iter().filter_map(|&n| class_at(document, n)).collect();
            needs.remove(&c);
            let mut needs: Vec<usize> = needs.into_iter().collect();
            needs.sort_by_key(|&n| key(decision, n));
            (needs, fact.after.and_then(|a| class_at(document, a)).filter(|&a| a != c))
        })
        .collect();
    let mut roots: Vec<usize> = (0..classes.len()).collect();
    roots.sort_by_key(|&c| key(decision, c));
    let mut out = Vec::with_capacity(classes.len());
    let mut state = vec![State::New; classes.len()];
    // A walk in depth, with its own stack: chains may be long.
    for root in roots {
        let mut stack = vec![(root, 0)];
        while let Some((c, step)) = stack.pop() {
            if step == 0 {
                if state[c] != State::New {
                    continue;
                }
                state[c] = State::Open;
            }
            // First what changed how it was read, then what it needs.
            let (needs, after) = &edges[c];
            let next = match step {
                0 => Some(*after),
                _ => needs.get(step - 1).map(|&n| Some(n)),
            };
            match next {
                None => {
                    state[c] = State::Done;
                    out.push(c);
                }
                Some(next) => {
                    stack.push((c, step + 1));
                    match next {
                        Some(n) if state[n] == State::New => stack.push((n, 0)),
                        Some(n) if state[n] == State::Open && step > 0 => {
                            let path: Vec<usize> = stack.iter().map(|s| s.0).collect();
                            let from = path.iter().rposition(|&p| p == n).unwrap_or(0);
                            // Only what was come to by a need: a mere wish of order gives way.
                            let circle = path[from..].to_vec();
                            let hard = circle.windows(2).all(|w| edges[w[0]].0.contains(&w[1]));
                            if hard {
                                return Err(circle);
                            }
                            return soft(&edges, decision);
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    Ok(out)
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    Open,
    Done,
}

fn key(decision: &Decision, class: usize) -> (bool, Place) {
    let class = &decision.classes[class];
    (!class.success, class.chosen)
}

/// When wishes of order and needs contradict each other: needs decide; of what is possible next, first what
/// has no unfulfilled wish, then the first.
fn soft(edges: &[(Vec<usize>, Option<usize>)], decision: &Decision) -> Result<Vec<usize>, Vec<usize>> {
    let n = edges.len();
    let mut missing: Vec<usize> = edges.iter().map(|e| e.0.len()).collect();
    let mut needed_by = vec![Vec::new(); n];
    let mut wished_by = vec![Vec::new(); n];
    for (c, (needs, after)) in edges.iter().enumerate() {
        needs.iter().for_each(|&m| needed_by[m].push(c));
        after.iter().for_each(|&m| wished_by[m].push(c));
    }
    let mut done = vec![false; n];
    let place = |c: usize, done: &[bool]| (edges[c].1.is_some_and(|a| !done[a]), key(decision, c), c);
    let mut ready: BTreeSet<_> = (0..n).filter(|&c| missing[c] == 0).map(|c| place(c, &done)).collect();
    let mut out = Vec::with_capacity(n);
    while let Some((_, _, c)) = ready.pop_first() {
        for &w in &wished_by[c] {
            if missing[w] == 0 && !done[w] {
                ready.remove(&place(w, &done));
            }
        }
        done[c] = true;
        out.push(c);
        for &w in &wished_by[c] {
            if missing[w] == 0 && !done[w] {
                ready.insert(place(w, &done));
            }
        }
        for &m in &needed_by[c] {
            missing[m] -= 1;
            if missing[m] == 0 {
                ready.insert(place(m, &done));
            }
        }
    }
    if out.len() == n {
        return Ok(out);
    }
    // Walk back along needs until something comes twice.
    let mut path: Vec<usize> = vec![(0..n).find(|&c| !done[c]).expect("some are left")];
    loop {
        let last = *path.last().expect("it begins with one");
        let next =
            *edges[last].0.iter().find(|&&m| !done[m]).expect("what is left needs something that is left");
        if let Some(i) = path.iter().position(|&p| p == next) {
            return Err(path.split_off(i));
        }
        path.push(next);
    }
}
