//! Where in a source the things stand that are broken.

use std::collections::BTreeMap;
use std::ops::Range;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A place in bytes.
pub type Bytes = Range<usize>;

/// Places, by the first byte, by which a list of breaks names them.
#[derive(Default)]
pub struct Places {
    /// A binary operator: its whole expression.
    pub binary: BTreeMap<usize, Bytes>,
    /// A unary one: its whole expression, and what it is applied to.
    pub unary: BTreeMap<usize, (Bytes, Bytes)>,
    /// An arm of a match: the end of its pattern, and its guard if it has one.
    pub arms: BTreeMap<usize, (usize, Option<Bytes>)>,
}

impl Places {
    pub fn of(text: &str) -> syn::Result<Places> {
        let mut places = Places::default();
        places.visit_file(&syn::parse_file(text)?);
        Ok(places)
    }
}

fn bytes(span: Span) -> Bytes {
    span.byte_range()
}

impl<'ast> Visit<'ast> for Places {
    fn visit_expr_binary(&mut self, node: &'ast syn::ExprBinary) {
        self.binary.insert(bytes(node.op.span()).start, bytes(node.span()));
        visit::visit_expr_binary(self, node);
    }

    fn visit_expr_unary(&mut self, node: &'ast syn::ExprUnary) {
        let whole = bytes(node.span());
        self.unary.insert(whole.start, (whole, bytes(node.expr.span())));
        visit::visit_expr_unary(self, node);
    }

    fn visit_arm(&mut self, node: &'ast syn::Arm) {
        let guard = node.guard.as_ref().map(|(_, guard)| bytes(guard.span()));
        self.arms.insert(bytes(node.span()).start, (bytes(node.pat.span()).end, guard));
        visit::visit_arm(self, node);
    }
}
