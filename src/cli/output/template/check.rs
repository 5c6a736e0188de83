//! Finds fields that a template asks for and the data has not, as Go would while executing.

use gotmpl::Value;
use gotmpl::parse::{BranchNode, Expr, ListNode, Node, PipeNode, Pos};

use super::{Fields, Result};
use crate::error::Error;

/// Podman puts `{{range .}}` before every template; its columns count that in.
const PREFIX: usize = "{{range .}}".len();

/// Checks `tree` against one row.
pub fn check(tree: &ListNode, row: &Value, source: &str, fields: Fields) -> Result<()> {
    let checker = Checker {
        source,
        fields,
        root: row,
    };
    checker.list(
        tree,
        Some(Scope {
            dot: row,
            path: String::new(),
        }),
    )
}

/// Names of the row's fields that `tree` uses at its outermost level, for the header of an empty table.
pub fn root_fields(tree: &ListNode) -> Vec<String> {
    let mut names = Vec::new();
    for node in &tree.nodes {
        if let Node::Action(action) = node {
            for arg in action
                .pipe
                .commands
                .iter()
                .flat_map(|command| &command.args)
            {
                if let Expr::Field(_, path) = arg
                    && let Some(name) = path.first()
                {
                    names.push(name.to_string());
                }
            }
        }
    }
    names
}

/// What `.` is, and how the row leads there. No scope: not known before the template runs.
#[derive(Clone)]
struct Scope<'a> {
    dot: &'a Value,
    path: String,
}

struct Checker<'a> {
    source: &'a str,
    fields: Fields,
    root: &'a Value,
}

impl<'a> Checker<'a> {
    fn list(&self, list: &ListNode, scope: Option<Scope<'a>>) -> Result<()> {
        list.nodes
            .iter()
            .try_for_each(|node| self.node(node, &scope))
    }

    fn node(&self, node: &Node, scope: &Option<Scope<'a>>) -> Result<()> {
        match node {
            Node::List(list) => self.list(list, scope.clone()),
            Node::Action(action) => self.pipe(&action.pipe, scope),
            Node::If(branch) => {
                self.pipe(&branch.pipe, scope)?;
                self.bodies(branch, scope.clone(), scope)
            }
            Node::With(branch) => {
                self.pipe(&branch.pipe, scope)?;
                let inner = self
                    .target(&branch.pipe, scope)
                    .filter(|s| s.dot.is_truthy());
                self.bodies(branch, inner, scope)
            }
            Node::Range(branch) => {
                self.pipe(&branch.pipe, scope)?;
                let inner = self.target(&branch.pipe, scope).and_then(|s| match s.dot {
                    Value::List(items) => Some(Scope {
                        dot: items.first()?,
                        path: s.path,
                    }),
                    _ => None,
                });
                self.bodies(branch, inner, scope)
            }
            _ => Ok(()),
        }
    }

    fn bodies(
        &self,
        branch: &BranchNode,
        body: Option<Scope<'a>>,
        otherwise: &Option<Scope<'a>>,
    ) -> Result<()> {
        self.list(&branch.body, body)?;
        match &branch.else_body {
            Some(list) => self.list(list, otherwise.clone()),
            None => Ok(()),
        }
    }

    fn pipe(&self, pipe: &PipeNode, scope: &Option<Scope<'a>>) -> Result<()> {
        for arg in pipe.commands.iter().flat_map(|command| &command.args) {
            match arg {
                Expr::Field(pos, names) => {
                    if let Some(scope) = scope {
                        self.walk(*pos, "", names, scope.clone())?;
                    }
                }
                Expr::Variable(pos, name, names) if name.as_str() == "$" => {
                    let root = Scope {
                        dot: self.root,
                        path: String::new(),
                    };
                    self.walk(*pos, "$", names, root)?;
                }
                Expr::Pipe(_, inner) => self.pipe(inner, scope)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// What a pipe that is one field (or `.`) leads to.
    fn target(&self, pipe: &PipeNode, scope: &Option<Scope<'a>>) -> Option<Scope<'a>> {
        let [command] = pipe.commands.as_slice() else {
            return None;
        };
        let scope = scope.clone()?;
        match command.args.as_slice() {
            [Expr::Dot(_)] => Some(scope),
            [Expr::Field(pos, names)] => self.walk(*pos, "", names, scope).ok().flatten(),
            _ => None,
        }
    }

    /// Follows `names` from `scope`; `None` where a map or nil ends what can be known.
    fn walk(
        &self,
        pos: Pos,
        prefix: &str,
        names: &[impl AsRef<str>],
        mut scope: Scope<'a>,
    ) -> Result<Option<Scope<'a>>> {
        for name in names.iter().map(AsRef::as_ref) {
            let Value::Map(map) = scope.dot else {
                return match scope.dot {
                    Value::Nil => Ok(None),
                    other => Err(self.unknown(pos, prefix, names, name, other.type_name())),
                };
            };
            let free = self.fields.maps.contains(&scope.path.as_str());
            let Some(next) = map.get(name) else {
                if free {
                    return Ok(None);
                }
                let of = match scope.path.rsplit('.').next() {
                    None | Some("") => self.fields.of,
                    Some(last) => last,
                };
                return Err(self.unknown(pos, prefix, names, name, of));
            };
            if !scope.path.is_empty() {
                scope.path.push('.');
            }
            scope.path.push_str(name);
            scope.dot = next;
        }
        Ok(Some(scope))
    }

    fn unknown(
        &self,
        pos: Pos,
        prefix: &str,
        names: &[impl AsRef<str>],
        name: &str,
        of: &str,
    ) -> Error {
        let path: String = names.iter().flat_map(|name| [".", name.as_ref()]).collect();
        let before = self.source.get(..pos.offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        // Go's parser counts a chain of fields from its second one.
        let chained = match names {
            [first, _, ..] => 1 + first.as_ref().len(),
            _ => 0,
        };
        let column = before.rsplit('\n').next().unwrap_or_default().len() + chained;
        let column = if line == 1 { column + PREFIX } else { column };
        let command = self.fields.command;
        Error::usage(format!(
            "template: {command}:{line}:{column}: executing \"{command}\" at <{prefix}{path}>: \
             can't evaluate field {name} in type {of}"
        ))
    }
}
