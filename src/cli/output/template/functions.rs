//! The functions of Podman's templates beside Go's own.

use std::sync::Arc;

use gotmpl::parse::{CommandNode, Expr, ListNode, Node, PipeNode};
use gotmpl::{Result, Template, TemplateError, Value};

use super::DOCUMENT;

/// What `.Label "key"` is turned into.
const LABEL: &str = "podLabel";

/// Adds the functions to a template that is still to be parsed.
pub fn add(template: Template) -> Template {
    template
        .func("json", |args| Ok(text_value(&json(only(args)?))))
        .func("join", |args| match args {
            [list, separator] => {
                let words: Vec<String> = items(list)?.iter().map(Value::to_string).collect();
                Ok(text_value(&words.join(&separator.to_string())))
            }
            _ => Err(count("join", 2)),
        })
        .func("split", |args| match args {
            [text, separator] => {
                let text = text.to_string();
                let words: Vec<Value> = match separator.to_string().as_str() {
                    "" => text.chars().map(|c| text_value(&c.to_string())).collect(),
                    separator => text.split(separator).map(text_value).collect(),
                };
                Ok(Value::List(words.into()))
            }
            _ => Err(count("split", 2)),
        })
        .func("lower", |args| {
            Ok(text_value(&only(args)?.to_string().to_lowercase()))
        })
        .func("upper", |args| {
            Ok(text_value(&only(args)?.to_string().to_uppercase()))
        })
        .func("title", |args| {
            Ok(text_value(&title(&only(args)?.to_string())))
        })
        .func("truncate", |args| match args {
            [text, length] => {
                let length = usize::try_from(length.as_int().unwrap_or(0)).unwrap_or(0);
                Ok(text_value(
                    &text.to_string().chars().take(length).collect::<String>(),
                ))
            }
            _ => Err(count("truncate", 2)),
        })
        .func("pad", |args| match args {
            [text, before, after] => {
                let text = text.to_string();
                if text.is_empty() {
                    return Ok(text_value(""));
                }
                let blanks =
                    |n: &Value| " ".repeat(n.as_int().unwrap_or(0).clamp(0, 1000) as usize);
                Ok(text_value(&format!(
                    "{}{text}{}",
                    blanks(before),
                    blanks(after)
                )))
            }
            _ => Err(count("pad", 3)),
        })
        .func(LABEL, |args| match args {
            [labels, key] => Ok(match labels.field(&key.to_string()) {
                Some(value) => value.clone(),
                None => text_value(""),
            }),
            _ => Err(count("Label", 1)),
        })
}

fn only(args: &[Value]) -> Result<&Value> {
    match args {
        [one] => Ok(one),
        _ => Err(TemplateError::Exec(format!(
            "wrong number of args: want 1 got {}",
            args.len()
        ))),
    }
}

fn count(name: &str, want: usize) -> TemplateError {
    TemplateError::Exec(format!("wrong number of args for {name}: want {want}"))
}

fn text_value(text: &str) -> Value {
    Value::String(Arc::from(text))
}

fn items(value: &Value) -> Result<&[Value]> {
    match value {
        Value::List(items) => Ok(items),
        Value::Nil => Ok(&[]),
        _ => Err(TemplateError::Exec(
            "wrong type of argument: want a list".to_owned(),
        )),
    }
}

/// First letter of each word in capitals.
fn title(text: &str) -> String {
    let mut starts = true;
    text.chars()
        .map(|c| {
            let upper = starts;
            starts = c.is_whitespace();
            if upper {
                c.to_uppercase().next().unwrap_or(c)
            } else {
                c
            }
        })
        .collect()
}

fn json(value: &Value) -> String {
    match value {
        // As it is written, in the document's own order.
        Value::Map(map) if map.contains_key(DOCUMENT) => map[DOCUMENT].to_string(),
        _ => plain(value).to_string(),
    }
}

fn plain(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Bool(b) => Json::Bool(*b),
        Value::Int(n) => Json::from(*n),
        Value::Uint(n) => Json::from(*n),
        Value::Float(n) => Json::from(*n),
        Value::String(text) => Json::String(text.to_string()),
        Value::List(items) => Json::Array(items.iter().map(plain).collect()),
        Value::Map(map) => match map.get(DOCUMENT) {
            Some(document) => serde_json::from_str(&document.to_string()).unwrap_or_default(),
            None => Json::Object(
                map.iter()
                    .map(|(key, value)| (key.to_string(), plain(value)))
                    .collect(),
            ),
        },
        _ => Json::Null,
    }
}

/// Rows have one method with an argument, `.Label "key"`: turns its calls into a function of `.Labels`.
pub fn call_methods(mut tree: ListNode) -> ListNode {
    tree.nodes = tree.nodes.into_iter().map(in_node).collect();
    tree
}

fn in_node(node: Node) -> Node {
    match node {
        Node::List(list) => Node::List(call_methods(list)),
        Node::Action(mut action) => {
            action.pipe = in_pipe(action.pipe);
            Node::Action(action)
        }
        Node::If(branch) => Node::If(in_branch(branch)),
        Node::Range(branch) => Node::Range(in_branch(branch)),
        Node::With(branch) => Node::With(in_branch(branch)),
        other => other,
    }
}

fn in_branch(mut branch: gotmpl::parse::BranchNode) -> gotmpl::parse::BranchNode {
    branch.pipe = in_pipe(branch.pipe);
    branch.body = call_methods(branch.body);
    branch.else_body = branch.else_body.map(call_methods);
    branch
}

fn in_pipe(mut pipe: PipeNode) -> PipeNode {
    pipe.commands = pipe.commands.into_iter().map(in_command).collect();
    pipe
}

fn in_command(mut command: CommandNode) -> CommandNode {
    command.args = command
        .args
        .into_iter()
        .map(|arg| match arg {
            Expr::Pipe(pos, pipe) => Expr::Pipe(pos, in_pipe(pipe)),
            other => other,
        })
        .collect();
    let is_call = command.args.len() == 2
        && matches!(&command.args[0], Expr::Field(_, names) if names.len() == 1 && names[0] == "Label");
    if is_call {
        let pos = command.pos;
        command.args[0] = Expr::Field(pos, vec!["Labels".into()]);
        command.args.insert(0, Expr::Identifier(pos, LABEL.into()));
    }
    command
}
