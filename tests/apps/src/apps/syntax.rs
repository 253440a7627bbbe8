//! Rust source worked on as a tree: parsed, its names and constants changed, printed again.
//!
//! Modules are edited over and over, in no order, so that old and young trees lie mixed.

use crate::Checksum;
use crate::workload::{Draw, Scale, word};
use std::hash::Hasher;
use syn::spanned::Spanned;
use syn::visit_mut::{self, VisitMut};
use syn::{BinOp, Expr, ExprLit, File, Ident, Lit, LitInt};

const MODULES: usize = 20;
const EDITS: usize = 150;

/// Generates the modules and edits them; the checksum is of their final text.
pub fn run(scale: Scale) -> u64 {
    let mut draw = Draw::seeded(5);
    let mut modules: Vec<File> = (0..MODULES)
        .map(|_| syn::parse_file(&source(&mut draw)).expect("the source is well-formed"))
        .collect();
    for edit in 0..scale.of(EDITS) {
        let module = draw.below(MODULES);
        let mut edited = modules[module].clone();
        let from = word(draw.skewed(40));
        Rename { from, to: format!("{}_{edit}", word(draw.skewed(40))) }
            .visit_file_mut(&mut edited);
        Fold.visit_file_mut(&mut edited);
        // Only what parses again is kept.
        if let Ok(parsed) = syn::parse_file(&prettyplease::unparse(&edited)) {
            modules[module] = parsed;
        }
        if draw.once_in(5) {
            modules[module] =
                syn::parse_file(&source(&mut draw)).expect("the source is well-formed");
        }
    }
    let mut sum = Checksum::EMPTY;
    for module in &modules {
        sum.text(&prettyplease::unparse(module));
    }
    sum.finish()
}

/// Gives every identifier `from` another name.
struct Rename {
    from: String,
    to: String,
}

impl VisitMut for Rename {
    fn visit_ident_mut(&mut self, ident: &mut Ident) {
        if *ident == self.from {
            *ident = Ident::new(&self.to, ident.span());
        }
    }
}

/// Replaces sums and products of two constants by their value.
struct Fold;

impl VisitMut for Fold {
    fn visit_expr_mut(&mut self, expression: &mut Expr) {
        visit_mut::visit_expr_mut(self, expression);
        let Expr::Binary(binary) = expression else { return };
        let (Some(left), Some(right)) = (constant(&binary.left), constant(&binary.right)) else {
            return;
        };
        let value = match binary.op {
            BinOp::Add(_) => left.wrapping_add(right) % 1000,
            BinOp::Mul(_) => left.wrapping_mul(right) % 1000,
            _ => return,
        };
        let literal = LitInt::new(&value.to_string(), binary.span());
        *expression = Expr::Lit(ExprLit { attrs: Vec::new(), lit: Lit::Int(literal) });
    }
}

fn constant(expression: &Expr) -> Option<u64> {
    match expression {
        Expr::Lit(ExprLit { lit: Lit::Int(literal), .. }) => literal.base10_parse().ok(),
        Expr::Paren(inner) => constant(&inner.expr),
        _ => None,
    }
}

/// A module: structs, their methods, functions full of arithmetic, matches and loops.
fn source(draw: &mut Draw) -> String {
    let mut text = String::from("//! Generated.\n\nuse std::collections::HashMap;\n\n");
    for item in 0..1 + draw.below(4) {
        let name = format!("T{item}");
        text += &format!("#[derive(Clone, Debug)]\npub struct {name} {{\n");
        for field in 0..1 + draw.below(5) {
            let kind = draw.pick(&["u64", "String", "Vec<Option<u32>>", "HashMap<String, u64>"]);
            text += &format!(
                "    /// {}.\n    {}_{field}: {kind},\n",
                draw.text(4),
                word(draw.skewed(40))
            );
        }
        text += &format!("}}\n\nimpl {name} {{\n");
        for method in 0..1 + draw.below(4) {
            let parameter = word(draw.skewed(40));
            text += &format!("    pub fn m{method}(&self, {parameter}: u64) -> u64 {{\n");
            for _ in 0..2 + draw.below(8) {
                text += &statement(&parameter, draw);
            }
            text += &format!("        {parameter}\n    }}\n");
        }
        text += "}\n\n";
    }
    text
}

fn statement(parameter: &str, draw: &mut Draw) -> String {
    let name = word(draw.skewed(40));
    let value = expression(parameter, 3, draw);
    match draw.below(4) {
        0 => format!("        let {name}: u64 = {value};\n"),
        1 => format!(
            "        for {name} in 0..{value} {{ if {name} > {} {{ break; }} self.{name}(); }}\n",
            draw.below(99)
        ),
        2 => format!(
            "        match {value} {{ 0 => return {}, n if n > {parameter} => {{}} _ => drop({parameter}) }}\n",
            draw.below(9)
        ),
        _ => format!("        println!(\"{name} {{}} {{:?}}\", {value}, self);\n"),
    }
}

fn expression(parameter: &str, depth: usize, draw: &mut Draw) -> String {
    if depth == 0 || draw.once_in(4) {
        return if draw.once_in(3) { parameter.to_owned() } else { draw.below(500).to_string() };
    }
    let left = expression(parameter, depth - 1, draw);
    let right = expression(parameter, depth - 1, draw);
    format!("({left} {} {right})", draw.pick(&["+", "*", "^", "|"]))
}
