//! Tips below the errors of the command line.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, Error};

use super::{habits, values};

/// Adds tips to an error for the arguments that caused it.
pub(super) fn add(error: Error, command: &Command, given: &[OsString]) -> Error {
    let given: Vec<_> = given.iter().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
    let mistake = Mistake { command: subcommand(command, &given), given: &given };
    match (error.kind(), text_of(&error, ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(name)) => mistake.unknown_option(error, &name),
        (ErrorKind::InvalidSubcommand, _) => unknown_command(error, command),
        (ErrorKind::ValueValidation, Some(name)) => {
            let value = text_of(&error, ContextKind::InvalidValue).unwrap_or_default();
            mistake.invalid_value(error, &name, &value)
        }
        (ErrorKind::TooManyValues, Some(_)) => {
            let value = text_of(&error, ContextKind::InvalidValue).unwrap_or_default();
            let tips = Vec::from_iter(mistake.number(&value));
            with_tips(error, tips)
        }
        _ => error,
    }
}

/// An invalid command line.
#[derive(Clone, Copy, Debug)]
struct Mistake<'a> {
    command: &'a Command,
    /// All arguments.
    given: &'a [String],
}

impl<'a> Mistake<'a> {
    fn unknown_option(self, mut error: Error, name: &str) -> Error {
        match habits::tip_for(name, |option| self.has(option)) {
            Some(tip) => with_tips(self.without_suggestion(&error), vec![tip.into()]),
            None => {
                // No value starts with a hyphen: clap's tip how to pass one leads astray.
                error.insert(ContextKind::Suggested, ContextValue::None);
                error
            }
        }
    }

    fn invalid_value(self, error: Error, name: &str, value: &str) -> Error {
        let is_endpoint = name.starts_with('[') && name.contains(values::ENDPOINT);
        if is_endpoint && !value.contains("://") {
            return self.no_endpoint(error, value);
        }
        let tips: Vec<String> = match name.split(' ').next() {
            Some("--connect") if value.parse().is_ok_and(|number: u16| number < FIRST_PORT) => {
                self.number(value).into_iter().collect()
            }
            Some("--timeout") if self.has("subscribe") => {
                vec![format!("a topic is given with -s: -s '{value}'")]
            }
            Some("--timeout") if self.has("topic") => {
                vec![format!("a topic is given with --topic: --topic '{value}'")]
            }
            Some("<TYPE>") if value.contains("://") => {
                vec![format!("the type comes first, as in mq monitor req {value}")]
            }
            _ => Vec::new(),
        };
        with_tips(error, tips)
    }

    /// Adds tips for a text that stands in the place of an endpoint.
    fn no_endpoint(self, error: Error, value: &str) -> Error {
        if let Some(flag) = self.flag_before(value) {
            let tips = [format!("{flag} takes no value")].into_iter().chain(self.number(value)).collect();
            let mut unexpected = Error::new(ErrorKind::UnknownArgument).with_cmd(self.command);
            unexpected.insert(ContextKind::InvalidArg, ContextValue::String(value.into()));
            return with_tips(unexpected, tips);
        }
        let may_be_endpoint = values::may_be_endpoint(value);
        if may_be_endpoint && !self.given.iter().any(|text| text.contains("://")) {
            return error;
        }
        let text = if self.has("echo") && self.has("reply") {
            Some(format!("a reply is given with --reply: --reply '{value}'"))
        } else if self.has("data") {
            Some(format!("a message to send is given with -d: -d '{value}'"))
        } else if self.has("subscribe") {
            Some(format!("a topic is given with -s: -s '{value}'"))
        } else if self.command.get_name() == "pull" {
            Some("mq pull prints messages that it receives; mq push sends".into())
        } else {
            None
        };
        let topic = (self.has("data") && self.has("subscribe"))
            .then(|| format!("a topic is given with -s: -s '{value}'"));
        with_tips(error, text.into_iter().chain(topic).chain(self.number(value)).collect())
    }

    /// Returns the tip for a number of messages.
    fn number(self, value: &str) -> Option<String> {
        let number: u64 = value.parse().ok()?;
        let messages = if number == 1 { "message" } else { "messages" };
        self.has("count").then(|| format!("-n {number} ends after {number} {messages}"))
    }

    /// Returns the option without a value that the first `value` stands behind.
    fn flag_before(self, value: &str) -> Option<&'a str> {
        let at = self.given.iter().position(|text| text == value)?;
        let before = self.given.get(at.checked_sub(1)?)?;
        self.command.get_arguments().any(|arg| is_flag(arg, before)).then_some(before)
    }

    fn has(self, option: &str) -> bool {
        self.command.get_arguments().any(|arg| arg.get_id() == option)
    }

    /// Returns the error without an option that has a similar name.
    fn without_suggestion(self, error: &Error) -> Error {
        let mut copy = Error::new(error.kind()).with_cmd(self.command);
        for (kind, value) in error.context() {
            if !matches!(kind, ContextKind::SuggestedArg | ContextKind::Suggested) {
                copy.insert(kind, value.clone());
            }
        }
        // That of the error contains the suggestion.
        copy.insert(ContextKind::Usage, ContextValue::StyledStr(self.command.clone().render_usage()));
        copy
    }
}

fn unknown_command(mut error: Error, command: &Command) -> Error {
    let name = text_of(&error, ContextKind::InvalidSubcommand).unwrap_or_default();
    let kind = command.get_subcommands().find(|known| known.get_name().eq_ignore_ascii_case(&name));
    let known = kind.map(Command::get_name).or_else(|| habits::command_for(&name));
    if let Some(known) = known {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![known.into()]));
    }
    error
}

/// Returns the command that is given, or `command` itself.
fn subcommand<'a>(command: &'a Command, given: &[String]) -> &'a Command {
    given.iter().find_map(|name| command.find_subcommand(name)).unwrap_or(command)
}

/// Returns whether a text is an option without a value.
fn is_flag(arg: &Arg, text: &str) -> bool {
    let is_named = match text.strip_prefix("--") {
        Some(name) => arg.get_long() == Some(name),
        None => text.strip_prefix('-').is_some_and(|name| {
            let mut letters = name.chars();
            arg.get_short().is_some() && letters.next() == arg.get_short() && letters.next().is_none()
        }),
    };
    is_named && matches!(arg.get_action(), ArgAction::SetTrue)
}

fn with_tips(mut error: Error, tips: Vec<String>) -> Error {
    if !tips.is_empty() {
        let tips = tips.into_iter().map(Into::into).collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    error
}

fn text_of(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}

/// Numbers below are no ports that programs use as a rule.
const FIRST_PORT: u16 = 1024;
