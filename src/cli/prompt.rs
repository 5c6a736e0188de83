//! Questions to the user: a line, or a secret that the terminal does not show.

use std::io::{self, IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use super::output::escape;
use crate::error::{Error, Kind, Result, Tried};

/// Longest answer.
const LONGEST: usize = 16 * 1024;

/// Asks for a line; an empty one means `default`, where there is one.
pub fn line(what: &str, default: Option<&str>) -> Result<String> {
    let shown = default.map_or(String::new(), |default| format!(" ({default})"));
    ask(&format!("{what}{shown}: "));
    let text = answer(|| format!("reading {}", what.to_lowercase()))?;
    Ok(match (text.as_str(), default) {
        ("", Some(default)) => default.to_owned(),
        _ => text,
    })
}

/// Asks which of `options` is meant, until one is named; an empty answer is the first. On stderr: what a script
/// reads from stdout stays clean.
pub fn choice(question: &str, options: &[String]) -> Result<usize> {
    let mut stderr = io::stderr().lock();
    let mut list = format!("{question}\n");
    for (number, option) in options.iter().enumerate() {
        list.push_str(&format!("  {}) {}\n", number + 1, escape::line(option)));
    }
    let _ = stderr.write_all(list.as_bytes()); // who does not see the question can still answer
    loop {
        let _ = write!(stderr, "Number (1): ");
        let text = answer(|| "reading the choice".to_owned())?;
        match text.parse::<usize>() {
            _ if text.is_empty() => return Ok(0),
            Ok(number) if (1..=options.len()).contains(&number) => return Ok(number - 1),
            _ => {}
        }
    }
}

/// A line of stdin without the blanks around it.
fn answer(tried: impl Fn() -> String) -> Result<String> {
    let mut text = Vec::new();
    loop {
        match byte().tried(&tried)? {
            None if text.is_empty() => {
                return Err(Error::new(Kind::Usage, format!("{}: EOF", tried())));
            }
            None | Some(b'\n') => break,
            Some(_) if text.len() >= LONGEST => break,
            Some(byte) => text.push(byte),
        }
    }
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

/// Asks for a secret on the terminal. Without one it fails: a secret in a pipe has its own flag.
pub fn secret(what: &str) -> Result<String> {
    let tried = format!("reading {}", what.to_lowercase());
    if !io::stdin().is_terminal() {
        return Err(
            Error::new(Kind::Usage, format!("{tried}: stdin is not a terminal"))
                .hint("give the password by the flag for it"),
        );
    }
    ask(&format!("{what}: "));
    let quiet = Quiet::new().tried(|| tried.clone())?;
    let mut text: Vec<u8> = Vec::new();
    let answer = loop {
        match byte().tried(|| tried.clone())? {
            // ^C and ^\ arrive as bytes: the terminal must be set right before the process ends.
            Some(3 | 28) => break None,
            None | Some(4 | b'\n' | b'\r') => break Some(text),
            Some(8 | 127) => {
                text.pop();
            }
            Some(21) => text.clear(), // ^U
            Some(_) if text.len() >= LONGEST => {}
            Some(byte) => text.push(byte),
        }
    };
    drop(quiet);
    ask("\n");
    match answer {
        Some(text) => String::from_utf8(text)
            .map_err(|_| Error::usage(format!("{tried}: it is not valid UTF-8"))),
        None => Err(Error::usage(format!("{tried}: interrupted"))),
    }
}

fn ask(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()); // who does not see the question can still answer
    let _ = stdout.flush();
}

/// The next byte of stdin, unbuffered: what follows may be somebody else's.
fn byte() -> io::Result<Option<u8>> {
    let mut one = [0];
    let mut stdin = io::stdin().lock();
    match stdin.read(&mut one)? {
        0 => Ok(None),
        _ => Ok(Some(one[0])),
    }
}

/// The terminal without echo, signals and line editing, until dropped.
struct Quiet(Termios);

impl Quiet {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ISIG | LocalModes::ICANON);
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
