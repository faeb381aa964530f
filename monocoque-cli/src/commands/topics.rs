//! Subscriptions of `mq sub`, `mq xsub` and `mq top`.

use crate::args::TopicArgs;
use crate::terminal::warn;

/// Returns the topics to subscribe to, all by default. Warns of one that looks like a pattern.
pub(super) fn of(args: &TopicArgs) -> Vec<&str> {
    warn_of_wildcards(&args.subscribe);
    if args.subscribe.is_empty() { vec![""] } else { args.subscribe.iter().map(String::as_str).collect() }
}

/// Warns of the first topic that looks like a pattern: topics are prefixes.
pub(super) fn warn_of_wildcards(topics: &[String]) {
    if let Some((topic, prefix)) = topics.iter().find_map(|topic| Some((topic, literal_part(topic)?))) {
        warn(&format_args!(
            "subscriptions are prefixes without wildcards: '{prefix}' receives all that starts with it, '{topic}' \
             is taken literally"
        ));
    }
}

/// Returns the part of a topic in front of its first wildcard, as nats and MQTT write them: `*`
/// anywhere, `>` and `#` as the last level.
fn literal_part(topic: &str) -> Option<&str> {
    let at_end = |wildcard| {
        let rest = topic.strip_suffix(wildcard)?;
        (rest.is_empty() || rest.ends_with(['.', '/'])).then_some(rest)
    };
    topic.split_once('*').map(|(literal, _)| literal).or_else(|| at_end('>')).or_else(|| at_end('#'))
}

#[cfg(test)]
mod tests {
    use super::literal_part;

    #[test]
    fn wildcards_end_literal_part() {
        for (topic, literal) in
            [("weather.*", "weather."), ("*", ""), ("a.*.b", "a."), ("a.>", "a."), ("a/#", "a/"), ("#", "")]
        {
            assert_eq!(literal_part(topic), Some(literal), "{topic}");
        }
        for topic in ["", "weather.", "a>", "#1", "c#"] {
            assert_eq!(literal_part(topic), None, "{topic}");
        }
    }
}
