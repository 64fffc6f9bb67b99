//! Walks from a child through its chain of parents. They are loops and not recursions, as such a chain
//! may be longer than the stack is deep.

use alloc::vec::Vec;
use core::fmt;

use super::named_future::{fut_state_to_string, fut_to_string, shown_name};
use crate::{AnyFuture, Child, Error, Result};

/// The first parent of a chain that is no child.
pub(super) fn root(first: &dyn AnyFuture) -> &dyn AnyFuture {
    let mut at = first;
    while let Some(child) = at.as_child() {
        at = child.parent();
    }
    at
}

/// Returns whether the future of `first`, or one above, is done.
pub(super) fn done(first: &dyn Child) -> bool {
    let mut child = first;
    loop {
        if child.own().done() {
            return true;
        }
        let parent = child.parent();
        match parent.as_child() {
            Some(above) => child = above,
            None => return parent.done(),
        }
    }
}

/// The answer of `look`: `cancelled` is true if a future-like thing counts as cancelled.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) cancelled: bool,
    /// For how many the answer is the same, from the first one upwards.
    levels: usize,
}

/// Returns whether `first` counts as cancelled. A child below what has a result is cancelled by this.
pub(super) fn look(first: &dyn AnyFuture) -> Look {
    let mut children: Vec<&dyn Child> = Vec::new();
    let mut at = first;
    while let Some(child) = at.as_child() {
        children.push(child);
        if child.own().cancelled() {
            return Look { cancelled: true, levels: children.len() };
        }
        at = child.parent();
    }
    if at.cancelled() {
        return Look { cancelled: true, levels: children.len() + 1 };
    }
    let mut done = at.done();
    let mut failed = done && failed_with(at);
    for (index, child) in children.iter().enumerate().rev() {
        if done && !failed {
            child.own().cancel();
            return Look { cancelled: true, levels: index + 1 };
        }
        // The first one's own exception isn't asked for, which would count as reading it.
        if index > 0 && child.own().done() {
            done = true;
            failed |= failed_with(child.own());
        }
    }
    Look { cancelled: false, levels: usize::MAX }
}

fn failed_with(future: &dyn AnyFuture) -> bool {
    matches!(future.exception(), Ok(Some(_)))
}

/// Returns the exception of `first`: its own, else its parent's, else `None` for a result of either.
pub(super) fn exception(first: &dyn Child) -> Result<Option<Error>> {
    // The first future that is done, where no parent of it is cancelled: without an exception further
    // up it answers.
    let mut fallback: Option<&dyn AnyFuture> = None;
    let mut looked = false;
    let mut child = first;
    loop {
        let (own, parent) = (child.own(), child.parent());
        if own.done() {
            if !own.cancelled() {
                if let Some(error) = own.exception()? {
                    return Ok(Some(error));
                }
            }
            let goes_on = parent.done() && (fallback.is_some() || !look(parent).cancelled);
            let answers = *fallback.get_or_insert(own);
            if !goes_on {
                return answers.exception();
            }
        } else if fallback.is_none() && !looked {
            if !parent.done() {
                // So nothing above is.
                return root(parent).exception();
            }
            look(parent);
            looked = true;
        }
        match (parent.as_child(), fallback) {
            (Some(above), _) => child = above,
            (None, None) => return parent.exception(),
            (None, Some(answers)) => {
                let above = parent.exception()?;
                return if above.is_some() { Ok(above) } else { answers.exception() };
            }
        }
    }
}

/// Returns the future that has the result or outcome of `first`.
///
/// # Errors
///
/// The error that is the outcome of `first`.
pub(super) fn answer(first: &dyn Child) -> Result<&dyn AnyFuture> {
    // Those that can't have their parent's result, and answer where it has one.
    let mut left: Vec<&dyn Child> = Vec::new();
    // The number of parents, from the next one upwards, that count as cancelled.
    let mut cancelled = 0;
    let mut child = first;
    let mut answer = loop {
        let parent = child.parent();
        if cancelled == 0 {
            match look(parent) {
                Look { cancelled: true, levels } => cancelled = levels,
                _ => break own_answer(child)?,
            }
        }
        cancelled -= 1;
        if !child.reads(parent) {
            left.push(child);
        }
        match parent.as_child() {
            Some(above) => child = above,
            None => break parent,
        }
    };
    while let Some(child) = left.pop() {
        answer.outcome()?;
        answer = own_answer(child)?;
    }
    Ok(answer)
}

/// Returns the own future of `child`, which is cancelled where its parent is done; where both are
/// pending, what the parent says.
fn own_answer(child: &dyn Child) -> Result<&dyn AnyFuture> {
    if child.parent().done() {
        child.own().cancel();
    }
    if !child.own().done() {
        root(child.parent()).outcome()?;
    }
    Ok(child.own())
}

/// Returns whether a result or an exception of `first` could be set: what is done furthest up decides.
pub(super) fn check_settable(first: &dyn Child) -> Result<()> {
    let mut decides = first.own();
    let mut at = first.parent();
    while let Some(child) = at.as_child() {
        if child.own().done() {
            decides = child.own();
        }
        at = child.parent();
    }
    if at.done() { at.check_settable() } else { decides.check_settable() }
}

/// Shows `first` with all above it.
pub(super) fn debug(first: &dyn Child, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (mut child, mut depth) = (first, 1);
    let parent = loop {
        let name = child.name();
        let name = shown_name(Some(&*name).filter(|name| !name.is_empty()));
        write!(f, "<ChildOfFuture#{name}({})", fut_state_to_string(child.own()))?;
        match child.parent().as_child() {
            Some(above) => (child, depth) = (above, depth + 1),
            None => break child.parent(),
        }
    };
    f.write_str(&fut_to_string(parent))?;
    (0..depth).try_for_each(|_| f.write_str(">"))
}
