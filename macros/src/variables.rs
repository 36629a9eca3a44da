//! The variables that an expression names.

use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Expr, ExprClosure, ExprPath, Ident, Macro, Pat, PatIdent,
    ext::IdentExt,
    visit::{self, Visit},
};

use crate::function::{Argument, Function};

/// What stands for a value by its name alone: no field, method, type or function of a path.
#[derive(Default)]
pub(crate) struct Variables {
    named: Vec<String>,
    bound: Vec<String>,
}

impl Variables {
    pub(crate) fn of(expression: &Expr) -> Self {
        let mut variables = Self::default();
        variables.visit_expr(expression);
        variables
    }

    /// Those of the body of `closure`; its parameters are bound.
    pub(crate) fn of_closure(closure: &ExprClosure) -> Self {
        let mut variables = Self::of(&closure.body);
        closure.inputs.iter().for_each(|input| variables.visit_pat(input));
        variables
    }

    /// Tells whether `name` is named, whoever bound it.
    pub(crate) fn name(&self, name: &Ident) -> bool {
        self.named.contains(&name.unraw().to_string())
    }

    /// Tells whether `name` is named and not bound in the expression itself.
    pub(crate) fn take(&self, name: &Ident) -> bool {
        self.name(name) && !self.bound.contains(&name.unraw().to_string())
    }

    pub(crate) fn has_self(&self) -> bool {
        self.named.iter().any(|name| name == "self")
    }

    /// The arguments of `function` that the expression takes from around it.
    pub(crate) fn arguments<'a>(&self, function: &'a Function) -> impl Iterator<Item = &'a Argument> {
        function.arguments.iter().filter(|argument| self.take(&argument.name))
    }

    // What a macro makes of its tokens is not known: what may be a variable counts as one.
    fn visit_tokens(&mut self, tokens: TokenStream) {
        let is_of_path =
            |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
        let is_dot =
            |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == '.');
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(name) => {
                    let before = at.checked_sub(1).and_then(|at| tokens.get(at));
                    let begins_path = is_of_path(tokens.get(at + 1)) && is_of_path(tokens.get(at + 2));
                    if !is_dot(before) && !begins_path {
                        self.named.push(name.unraw().to_string());
                    }
                }
                TokenTree::Group(group) => self.visit_tokens(group.stream()),
                TokenTree::Literal(literal) => self.named.extend(captured(&literal.to_string())),
                TokenTree::Punct(_) => {}
            }
        }
    }
}

impl<'ast> Visit<'ast> for Variables {
    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        if let Some(name) = path.path.get_ident().filter(|_| path.qself.is_none()) {
            self.named.push(name.unraw().to_string());
        }
        visit::visit_expr_path(self, path);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        self.bound.push(pattern.ident.unraw().to_string());
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.visit_tokens(called.tokens.clone());
    }
}

/// The names that a parameter of a closure binds.
pub(crate) fn bound_by(pattern: &Pat) -> Vec<Ident> {
    #[derive(Default)]
    struct Bound(Vec<Ident>);
    impl<'ast> Visit<'ast> for Bound {
        fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
            self.0.push(pattern.ident.clone());
            visit::visit_pat_ident(self, pattern);
        }
    }
    let mut bound = Bound::default();
    bound.visit_pat(pattern);
    bound.0
}

/// The names that a format string captures: behind a `{`, or before the `$` of a width.
fn captured(literal: &str) -> impl Iterator<Item = String> {
    let is_of_name = |c: char| c == '_' || c.is_alphanumeric();
    let behind_braces = literal
        .split('{')
        .skip(1)
        .map(move |rest| rest.split(|c| !is_of_name(c)).next());
    let before_dollars = literal
        .split('$')
        .map(move |rest| rest.rsplit(|c| !is_of_name(c)).next());
    let names: Vec<String> = behind_braces
        .chain(before_dollars)
        .flatten()
        .map(str::to_owned)
        .collect();
    names.into_iter().filter(|name| !name.is_empty())
}
