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
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: Option<usize>, sign: char| {
            let token = at.and_then(|at| tokens.get(at));
            matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == sign)
        };
        let is_path_at = |at: Option<usize>| is(at, ':') && is(at.map(|at| at + 1), ':');
        for (at, token) in tokens.iter().enumerate() {
            match token {
                TokenTree::Ident(name) => {
                    let before = at.checked_sub(1);
                    let is_of_path = is_path_at(at.checked_sub(2)) || is_path_at(Some(at + 1));
                    if !is_of_path && !is(before, '.') && !is(before, '\'') {
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

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    fn taken(expression: &Expr, names: &[&str]) -> Vec<String> {
        let variables = Variables::of(expression);
        let is_taken = |name: &&&str| variables.take(&Ident::new(name, proc_macro2::Span::call_site()));
        names.iter().filter(is_taken).map(ToString::to_string).collect()
    }

    #[test]
    fn a_variable_is_no_field_method_type_or_part_of_a_path() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let expression = parse_quote!(a.b.c(d::e(), &f as &d));
        assert_eq!(taken(&expression, &names), ["a", "f"]);
        let in_a_macro = parse_quote!(cache_of!(a.b.c(d::e()), F { f }));
        assert_eq!(taken(&in_a_macro, &names), ["a", "f"]);
    }

    #[test]
    fn a_variable_of_the_expression_itself_is_not_taken_from_around_it() {
        let expression = parse_quote!({
            let a = b;
            all(|c| a + c + d)
        });
        assert_eq!(taken(&expression, &["a", "b", "c", "d"]), ["b", "d"]);
    }

    #[test]
    fn a_format_string_takes_what_it_captures() {
        let expression = parse_quote!(format!("a {b:c$} {d}", e));
        assert_eq!(taken(&expression, &["a", "b", "c", "d", "e"]), ["b", "c", "d", "e"]);
    }
}
