//! Words to an expression, by recursive descent; the weakest operator outermost.

use super::words::{Word, mistake, words};
use super::{Mistake, Name};
use crate::read::clip;
use crate::suggest;
use serde_json::Value;
use std::ops::Range;
use wasmhost_proto::limits::MAX_CONDITION_PARTS;

/// The root of parameters.
pub(super) const PARAMS: &str = "params";
const ROOTS: [&str; 3] = [PARAMS, "results", "tasks"];
const FUNCTIONS: [&str; 6] = ["length", "sum", "min", "max", "any", "all"];
const COUNTS: [&str; 4] = ["succeeded", "failed", "total", "skipped"];
const ROOTS_HELP: &str = "a condition reads params.NAME, results.TASK and tasks.TASK.failed, \
    or results[\"TASK\"] for names with - or a point";

/// An expression.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Expr {
    /// A value as it stands.
    Literal(Value),
    /// `results.NAME` and its like.
    Read {
        /// Which of the roots.
        root: &'static str,
        /// Of which parameter or node.
        name: Name,
    },
    /// `OF.KEY` or `OF[KEY]`.
    Key { of: Box<Expr>, key: Box<Expr> },
    /// `not OF`.
    Not(Box<Expr>),
    /// `-OF`.
    Minus(Box<Expr>),
    /// `length(OF)`.
    Call {
        function: &'static str,
        of: Box<Expr>,
    },
    /// `LEFT SIGN RIGHT`; among the signs are `and`, `or`, `in`.
    Binary {
        sign: &'static str,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `[A, B]`.
    List(Vec<Expr>),
}

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Result<Expr, Mistake> {
    let mut parser = Parser {
        words: words(text)?,
        next: 0,
        end: text.len(),
        parts: 0,
    };
    let expr = parser.either()?;
    match parser.words.get(parser.next) {
        None => Ok(expr),
        Some((word, at)) => {
            let help = match word {
                Word::Sign("==" | "!=" | "<" | "<=" | ">" | ">=") => "join comparisons with `and`",
                _ => "",
            };
            Err(mistake(
                at.clone(),
                format!("{} does not fit here", show(word)),
                help,
            ))
        }
    }
}

struct Parser {
    words: Vec<(Word, Range<usize>)>,
    next: usize,
    end: usize,
    /// Operators so far, and brackets that are open: no tree is deeper.
    parts: usize,
}

impl Parser {
    fn either(&mut self) -> Result<Expr, Mistake> {
        self.level(&[("or", "or"), ("||", "or")], Parser::both)
    }

    fn both(&mut self) -> Result<Expr, Mistake> {
        self.level(&[("and", "and"), ("&&", "and")], Parser::negated)
    }

    fn negated(&mut self) -> Result<Expr, Mistake> {
        if self.take("not") || self.take("!") {
            let of = self.deeper(Parser::negated)?;
            return Ok(Expr::Not(Box::new(of)));
        }
        self.compared()
    }

    fn compared(&mut self) -> Result<Expr, Mistake> {
        let left = self.added()?;
        for sign in ["==", "!=", "<=", ">=", "<", ">", "in"] {
            if self.take(sign) {
                return Ok(binary(sign, left, self.added()?));
            }
        }
        if self.take("not") {
            if !self.take("in") {
                return Err(self.wrong("`in` after `not`"));
            }
            let within = binary("in", left, self.added()?);
            return Ok(Expr::Not(Box::new(within)));
        }
        Ok(left)
    }

    fn added(&mut self) -> Result<Expr, Mistake> {
        self.level(&[("+", "+"), ("-", "-")], Parser::multiplied)
    }

    fn multiplied(&mut self) -> Result<Expr, Mistake> {
        self.level(&[("*", "*"), ("/", "/"), ("%", "%")], Parser::signed)
    }

    fn signed(&mut self) -> Result<Expr, Mistake> {
        if self.take("-") {
            let of = self.deeper(Parser::signed)?;
            return Ok(Expr::Minus(Box::new(of)));
        }
        let mut expr = self.primary()?;
        loop {
            let key = if self.take(".") {
                let (name, _) = self.name("a key")?;
                Expr::Literal(name.into())
            } else if self.take("[") {
                let key = self.deeper(Parser::either)?;
                self.expect("]")?;
                key
            } else {
                return Ok(expr);
            };
            let of = Box::new(expr);
            let key = Box::new(key);
            expr = self.nest(Expr::Key { of, key })?;
        }
    }

    fn primary(&mut self) -> Result<Expr, Mistake> {
        let Some((word, at)) = self.words.get(self.next).cloned() else {
            return Err(self.wrong("a value"));
        };
        self.next += 1;
        Ok(match word {
            Word::Text(text) => Expr::Literal(text.into()),
            Word::Integer(number) => Expr::Literal(number.into()),
            Word::Number(number) => Expr::Literal(number.into()),
            Word::Name(name) => return self.named(&name, at),
            Word::Sign("(") => {
                let inner = self.deeper(Parser::either)?;
                self.expect(")")?;
                inner
            }
            Word::Sign("[") => {
                let mut items = Vec::new();
                while !self.take("]") {
                    items.push(self.deeper(Parser::either)?);
                    if !self.take(",") {
                        self.expect("]")?;
                        break;
                    }
                }
                Expr::List(items)
            }
            Word::Sign(_) => {
                self.next -= 1;
                return Err(self.wrong("a value"));
            }
        })
    }

    fn named(&mut self, name: &str, at: Range<usize>) -> Result<Expr, Mistake> {
        match name {
            "true" => return Ok(Expr::Literal(true.into())),
            "false" => return Ok(Expr::Literal(false.into())),
            "null" | "none" => return Ok(Expr::Literal(Value::Null)),
            _ => {}
        }
        if let Some(function) = FUNCTIONS.into_iter().find(|f| *f == name) {
            self.expect("(")?;
            let of = Box::new(self.deeper(Parser::either)?);
            self.expect(")")?;
            return Ok(Expr::Call { function, of });
        }
        let Some(root) = ROOTS.into_iter().find(|root| *root == name) else {
            let known: Vec<&str> = ROOTS.into_iter().chain(FUNCTIONS).collect();
            let help = match suggest::nearest(name, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => ROOTS_HELP.to_owned(),
            };
            return Err(mistake(at, format!("unknown name `{}`", clip(name)), help));
        };
        // The name is needed before anything runs: it says what comes first.
        let (name, at) = if self.take(".") {
            self.name("a name")?
        } else {
            if !self.take("[") {
                let message = format!("`{root}` is read by name");
                return Err(mistake(at, message, ROOTS_HELP));
            }
            let Some((Word::Text(name), at)) = self.words.get(self.next).cloned() else {
                return Err(self.wrong("a name between quotes"));
            };
            self.next += 1;
            self.expect("]")?;
            (name, at)
        };
        if root == "tasks" {
            self.count(&name)?;
        }
        let name = Name { name, at };
        Ok(Expr::Read { root, name })
    }

    /// After `tasks.NAME`, one of the counts; left for the caller to read.
    fn count(&mut self, task: &str) -> Result<(), Mistake> {
        let known = match self.words.get(self.next..) {
            Some([(Word::Sign("."), _), (Word::Name(key), at), ..]) => {
                if COUNTS.contains(&key.as_str()) {
                    return Ok(());
                }
                let message = format!("tasks have no `{}`", clip(key));
                return Err(mistake(at.clone(), message, suggest::help(key, &COUNTS)));
            }
            _ => suggest::listed(&COUNTS),
        };
        let at = self.place();
        let message = format!("tasks.{} is no value by itself", clip(task));
        Err(mistake(at, message, format!("add one of {known}")))
    }

    fn name(&mut self, what: &str) -> Result<(String, Range<usize>), Mistake> {
        match self.words.get(self.next).cloned() {
            Some((Word::Name(name), at)) => {
                self.next += 1;
                Ok((name, at))
            }
            _ => Err(self.wrong(what)),
        }
    }

    fn level(
        &mut self,
        signs: &[(&'static str, &'static str)],
        inner: fn(&mut Parser) -> Result<Expr, Mistake>,
    ) -> Result<Expr, Mistake> {
        let mut left = inner(self)?;
        while let Some((_, sign)) = signs.iter().find(|(written, _)| self.take(written)) {
            let right = inner(self)?;
            left = self.nest(binary(sign, left, right))?;
        }
        Ok(left)
    }

    /// Reads what is within brackets.
    fn deeper(&mut self, inner: fn(&mut Parser) -> Result<Expr, Mistake>) -> Result<Expr, Mistake> {
        self.nest(())?;
        let expr = inner(self);
        self.parts -= 1;
        expr
    }

    /// Counts a part, within the bound that keeps every walk off the stack's end.
    fn nest<T>(&mut self, value: T) -> Result<T, Mistake> {
        self.parts += 1;
        if self.parts <= MAX_CONDITION_PARTS {
            return Ok(value);
        }
        Err(mistake(
            self.place(),
            format!("the condition has more than {MAX_CONDITION_PARTS} parts"),
            "let a task decide, and read its result",
        ))
    }

    /// Takes a sign or keyword, if it comes next.
    fn take(&mut self, wanted: &str) -> bool {
        let fits = match self.words.get(self.next) {
            Some((Word::Sign(sign), _)) => *sign == wanted,
            Some((Word::Name(name), _)) => name == wanted,
            _ => false,
        };
        self.next += usize::from(fits);
        fits
    }

    fn expect(&mut self, sign: &str) -> Result<(), Mistake> {
        match self.take(sign) {
            true => Ok(()),
            false => Err(self.wrong(&format!("`{sign}`"))),
        }
    }

    fn place(&self) -> Range<usize> {
        let next = self.words.get(self.next);
        next.map_or(self.end..self.end, |(_, at)| at.clone())
    }

    fn wrong(&self, wanted: &str) -> Mistake {
        let found = match self.words.get(self.next) {
            Some((word, _)) => format!("{} stands", show(word)),
            None => "it ends".to_owned(),
        };
        mistake(
            self.place(),
            format!("{found} where {wanted} is wanted"),
            "",
        )
    }
}

fn binary(sign: &'static str, left: Expr, right: Expr) -> Expr {
    Expr::Binary {
        sign,
        left: Box::new(left),
        right: Box::new(right),
    }
}

fn show(word: &Word) -> String {
    match word {
        Word::Name(name) => format!("`{}`", clip(name)),
        Word::Text(text) => format!("\"{}\"", clip(text)),
        Word::Integer(number) => number.to_string(),
        Word::Number(number) => number.to_string(),
        Word::Sign(sign) => format!("`{sign}`"),
    }
}
