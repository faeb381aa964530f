//! The topics of received messages.

use std::collections::HashMap;
use std::time::Duration;

use monocoque::Message;

use super::{Counter, Table, counted};

/// The messages of each topic. The topic is the first frame; of a message of one frame, it is the
/// first word.
#[derive(Debug, Default)]
pub(crate) struct Topics {
    counters: HashMap<Box<[u8]>, Counter>,
    /// The messages of all topics beyond [`MOST`].
    others: Counter,
}

impl Topics {
    pub(crate) fn count(&mut self, message: &Message, bytes: usize) {
        let topic = topic(message);
        if let Some(counter) = self.counters.get_mut(topic) {
            counter.add(bytes);
        } else if self.counters.len() < MOST {
            self.counters.entry(topic.into()).or_default().add(bytes);
        } else {
            self.others.add(bytes);
        }
    }

    /// Returns the table of topics, the busiest one first.
    pub(crate) fn table(&mut self, elapsed: Duration) -> Table {
        let mut rows: Vec<_> = self.counters.iter_mut().collect();
        rows.sort_by(|(one_topic, one), (other_topic, other)| {
            let key = |counter: &Counter| (counter.recent(), counter.messages);
            key(other).cmp(&key(one)).then_with(|| one_topic.cmp(other_topic))
        });
        let row = |topic: String, counter: &mut Counter| {
            [topic].into_iter().chain(counter.cells(elapsed)).collect()
        };
        let mut rows: Vec<_> =
            rows.into_iter().map(|(topic, counter)| row(topic.escape_ascii().to_string(), counter)).collect();
        if self.others.messages > 0 {
            rows.push(row("(others)".into(), &mut self.others));
        }
        Table { title: "Topics", columns: counted!("topic"), rows }
    }
}

fn topic(message: &Message) -> &[u8] {
    let first = message.iter().next().map_or(&[][..], |frame| frame);
    let end = if message.len() > 1 { None } else { first.iter().position(u8::is_ascii_whitespace) };
    let topic = &first[..end.unwrap_or(first.len())];
    &topic[..topic.len().min(LONGEST)]
}

/// The most topics that are counted apart, and the most bytes of one that are shown.
const MOST: usize = 10_000;
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_counted_by_topic() {
        let mut topics = Topics::default();
        for message in [Message::from("cpu 17"), ["disk x", "1"].into(), "cpu 18".into(), "\u{1b}[2J".into()]
        {
            topics.count(&message, 10);
        }
        let table = topics.table(Duration::from_secs(1));
        let names: Vec<_> = table.rows.iter().map(|row| &*row[0]).collect();
        assert_eq!(names, ["cpu", "\\x1b[2J", "disk x"]);
        assert_eq!(table.rows[0][1..4], ["2", "20 B", "2"]);
    }

    #[test]
    fn topics_are_bounded() {
        let mut topics = Topics::default();
        for n in 0..MOST + 5 {
            topics.count(&[&*n.to_string(), "x"].into(), 1);
        }
        assert_eq!(topics.counters.len(), MOST);
        let table = topics.table(Duration::from_secs(1));
        assert_eq!(table.rows.last().unwrap()[..2], ["(others)", "5"]);
    }
}
