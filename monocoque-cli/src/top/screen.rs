//! Snapshots on a terminal, or as lines of text where standard output is none.

use std::io::{self, IsTerminal, Stdout, stdout};
use std::thread;
use std::time::{Duration, Instant};

use compio::time::sleep_until;
use futures_lite::future::{or, pending};
use ratatui::backend::TermionBackend;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::termion::event::Key;
use ratatui::termion::get_tty;
use ratatui::termion::input::TermRead;
use ratatui::termion::raw::{IntoRawMode, RawTerminal};
use ratatui::termion::screen::{AlternateScreen, IntoAlternateScreen};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Paragraph, Row};
use ratatui::{Frame, Terminal};

use super::{Snapshot, Table};
use crate::error::Error;
use crate::output::{Reader, print_line};

/// The place where snapshots are shown. A terminal is restored when it is dropped.
pub(crate) struct Screen {
    terminal: Option<Tui>,
    keys: flume::Receiver<Key>,
    interval: Duration,
    /// The number of snapshots to show; `None` for no limit.
    count: Option<u64>,
}

type Tui = Terminal<TermionBackend<AlternateScreen<RawTerminal<Stdout>>>>;

impl Screen {
    pub(crate) fn open(interval: Duration, count: Option<u64>) -> Result<Self, Error> {
        let terminal = if stdout().is_terminal() { Some(open().map_err(Error::Stdout)?) } else { None };
        let keys = if terminal.is_some() { keys() } else { flume::bounded(0).1 };
        Ok(Self { terminal, keys, interval, count })
    }

    /// Shows snapshots until there are enough, a key ends it, or standard output is closed.
    pub(crate) async fn run(mut self, mut snapshot: impl FnMut(Duration) -> Snapshot) -> Result<(), Error> {
        let (mut shown, mut last, mut is_paused) = (0, Instant::now(), false);
        let mut taken = last;
        let mut current = snapshot(Duration::ZERO);
        if let Some(terminal) = &mut self.terminal {
            draw(terminal, &current, is_paused)?;
        }
        while self.count.is_none_or(|count| shown < count) {
            match self.next_key(last + self.interval).await {
                Some(Key::Char('q') | Key::Esc | Key::Ctrl('c')) => return Ok(()),
                Some(Key::Char('p' | ' ')) => is_paused = !is_paused,
                Some(_) => continue,
                None => {
                    last = Instant::now();
                    if !is_paused {
                        // The rates after a pause are those of the whole pause.
                        current = snapshot(last - taken);
                        taken = last;
                        shown += 1;
                    }
                }
            }
            match &mut self.terminal {
                Some(terminal) => draw(terminal, &current, is_paused)?,
                None if print_line(&text(&current))? == Reader::Gone => return Ok(()),
                None => {}
            }
        }
        Ok(())
    }

    /// Waits for a key until the next snapshot is due.
    async fn next_key(&self, due: Instant) -> Option<Key> {
        let tick = async {
            sleep_until(due).await;
            None
        };
        let key = async {
            match self.keys.recv_async().await {
                Ok(key) => Some(key),
                // The input is no terminal with a user.
                Err(_) => pending().await,
            }
        };
        or(key, tick).await
    }
}

fn open() -> io::Result<Tui> {
    Terminal::new(TermionBackend::new(stdout().into_raw_mode()?.into_alternate_screen()?))
}

/// Starts to read keys. Without a terminal to read from, there are none.
fn keys() -> flume::Receiver<Key> {
    let (sender, keys) = flume::bounded(16);
    if let Ok(terminal) = get_tty() {
        // The thread is not joined: it waits for a key.
        thread::spawn(move || {
            for key in terminal.keys().map_while(Result::ok) {
                if sender.send(key).is_err() {
                    break;
                }
            }
        });
    }
    keys
}

fn draw(terminal: &mut Tui, snapshot: &Snapshot, is_paused: bool) -> Result<(), Error> {
    terminal.draw(|frame| render(frame, snapshot, is_paused)).map(drop).map_err(Error::Stdout)
}

fn render(frame: &mut Frame<'_>, snapshot: &Snapshot, is_paused: bool) {
    let lines = u16::try_from(snapshot.lines.len()).unwrap_or(u16::MAX);
    let tables = snapshot.tables.iter().map(|_| Constraint::Fill(1));
    let constraints = [Constraint::Length(lines)].into_iter().chain(tables).chain([Constraint::Length(1)]);
    let areas = Layout::vertical(constraints).split(frame.area());
    let [top, middle @ .., bottom] = &*areas else { return };
    frame.render_widget(Paragraph::new(snapshot.lines.iter().map(Line::raw).collect::<Vec<_>>()), *top);
    for (table, area) in snapshot.tables.iter().zip(middle) {
        frame.render_widget(widget(table), *area);
    }
    let keys = if is_paused { "paused   q: quit   p: continue" } else { "q: quit   p: pause" };
    frame.render_widget(Line::styled(keys, Style::new().add_modifier(Modifier::DIM)), *bottom);
}

fn widget(table: &Table) -> ratatui::widgets::Table<'_> {
    let header = Row::new(table.columns.iter().copied()).style(Style::new().add_modifier(Modifier::BOLD));
    let rows = table.rows.iter().map(|row| Row::new(row.iter().map(String::as_str)));
    let widths =
        widths(table).into_iter().map(|width| Constraint::Max(u16::try_from(width).unwrap_or(u16::MAX)));
    let title = format!(" {} ({}) ", table.title, table.rows.len());
    ratatui::widgets::Table::new(rows, widths)
        .header(header)
        .column_spacing(2)
        .block(Block::new().borders(Borders::TOP).title(title))
}

/// Returns the snapshot as lines of text.
fn text(snapshot: &Snapshot) -> String {
    let mut lines = snapshot.lines.clone();
    for table in &snapshot.tables {
        lines.push(format!("{}:", table.title));
        let widths = widths(table);
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let cells = cells.zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
            format!("  {}", cells.collect::<Vec<_>>().join("  ").trim_end())
        };
        lines.push(line(&mut table.columns.iter().copied()));
        lines.extend(table.rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    }
    lines.join("\n")
}

/// Returns the width of each column.
fn widths(table: &Table) -> Vec<usize> {
    let width = |(n, column): (usize, &&str)| {
        let cells = table.rows.iter().filter_map(|row| row.get(n)).map(|cell| cell.chars().count());
        cells.chain([column.len()]).max().unwrap_or_default()
    };
    table.columns.iter().enumerate().map(width).collect()
}
