//! A format of the user's own: text with fields in braces, as in `{time} {peer} {body}`.

use std::io::{self, Write};
use std::str::FromStr;

use clap::ValueEnum;

use super::{Encoder, OutputFormat, Received, lines};

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Time,
    Unix,
    Peer,
    Id,
    Topic,
    Body,
    Message,
    Size,
    Frames,
}

impl Template {
    /// Returns whether the sender of each message must be known.
    pub(crate) fn needs_peer(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Field(Field::Peer | Field::Id)))
    }

    /// Writes a message and a line break.
    pub(super) fn write(&self, received: &Received, how: &Encoder, out: &mut impl Write) -> io::Result<()> {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.write_all(text.as_bytes())?,
                Part::Field(field) => field.write(received, how, out)?,
            }
        }
        out.write_all(b"\n")
    }
}

impl Field {
    fn write(self, received: &Received, how: &Encoder, out: &mut impl Write) -> io::Result<()> {
        let Received { message, peer, .. } = received;
        let size = || message.iter().map(|frame| frame.len()).sum::<usize>();
        match (self, peer) {
            (Self::Time, _) => write!(out, "{}", received.time()),
            (Self::Unix, _) => write!(out, "{:.6}", received.unix().as_secs_f64()),
            (Self::Peer, Some(peer)) => write!(out, "{}", peer.connection().peer),
            (Self::Id, Some(peer)) => write!(out, "{}", peer.routing_id()),
            (Self::Peer | Self::Id, None) => Ok(()),
            (Self::Topic, _) => lines::write_frames(message.iter().take(1), how, out),
            (Self::Body, _) => lines::write_frames(message.iter().skip(1), how, out),
            (Self::Message, _) => lines::write_frames(message.iter(), how, out),
            (Self::Size, _) => write!(out, "{}", size()),
            (Self::Frames, _) => write!(out, "{}", message.len()),
        }
    }
}

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (mut parts, mut literal) = (Vec::new(), String::new());
        let mut rest = text;
        while let Some(char) = rest.chars().next() {
            rest = &rest[char.len_utf8()..];
            match char {
                '{' | '}' if rest.starts_with(char) => {
                    literal.push(char);
                    rest = &rest[1..];
                }
                '{' => {
                    let (name, after) = rest.split_once('}').ok_or("a { without its }; {{ stands for one")?;
                    parts.push(Part::Text(std::mem::take(&mut literal)));
                    parts.push(Part::Field(name.parse()?));
                    rest = after;
                }
                '}' => return Err("a } without its {; }} stands for one".into()),
                '\\' => {
                    let escape = rest.chars().next();
                    literal.push(match escape {
                        Some('t') => '\t',
                        Some('n') => '\n',
                        Some('\\') => '\\',
                        _ => return Err("a backslash is followed by t, n or \\".into()),
                    });
                    rest = &rest[1..];
                }
                char => literal.push(char),
            }
        }
        parts.push(Part::Text(literal));
        if !parts.iter().any(|part| matches!(part, Part::Field(_))) {
            return Err(without_field(text));
        }
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Self(parts))
    }
}

impl FromStr for Field {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Ok(match name {
            "time" => Self::Time,
            "unix" => Self::Unix,
            "peer" => Self::Peer,
            "id" => Self::Id,
            "topic" => Self::Topic,
            "body" => Self::Body,
            "message" => Self::Message,
            "size" => Self::Size,
            "frames" => Self::Frames,
            _ => return Err(format!("there is no field {{{name}}}; there are {FIELDS}")),
        })
    }
}

/// Returns the error of a template that is the same for every message.
fn without_field(text: &str) -> String {
    match OutputFormat::from_str(text, true) {
        Ok(_) => format!("a template needs a field in braces; the format of that name is -O {text}"),
        Err(_) => {
            format!("a template needs a field in braces, as in '{{topic}} {{body}}'; there are {FIELDS}")
        }
    }
}

const FIELDS: &str = "time, unix, peer, id, topic, body, message, size and frames";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_parses_fields_and_text() {
        let template: Template = r"{topic}:\t{{{size}}}".parse().unwrap();
        let text = |text: &str| Part::Text(text.into());
        let parts = [Part::Field(Field::Topic), text(":\t{"), Part::Field(Field::Size), text("}")];
        assert_eq!(template.0, parts);
        assert!(!template.needs_peer());
        assert!("{peer}".parse::<Template>().unwrap().needs_peer());
        for wrong in ["{", "}", "{what}", "{topic", r"\q", "\\", "", "json", "%s\\n", "{{topic}}"] {
            assert!(wrong.parse::<Template>().is_err(), "{wrong}");
        }
    }
}
