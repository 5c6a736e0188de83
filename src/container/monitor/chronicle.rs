//! Runs in: monitor. The events of a container's start and end, each written at once: two writes for the whole life.

use std::os::fd::AsRawFd;
use std::time::SystemTime;

use super::super::clock;
use super::super::engine::Containers;
use super::super::events::{Action, Appender, Event};
use super::super::record::Record;

/// The events' file, kept open while the container lives; `None` inside: no events are kept.
#[derive(Debug)]
pub struct Chronicle {
    log: Option<Appender>,
}

/// What the start of a container was made of.
#[derive(Debug, Clone, Copy)]
pub struct Beginning {
    /// It was created by the same command.
    pub created: bool,
    /// Somebody is connected to its stdio.
    pub attached: bool,
    /// When its namespaces were there.
    pub init: SystemTime,
}

impl Chronicle {
    /// Tells of a program that runs now.
    pub fn begin(engine: &Containers, record: &Record, beginning: Beginning) -> Self {
        let mut chronicle = Self {
            log: engine.event_log(),
        };
        chronicle.started(record, beginning);
        if let Some(log) = &mut chronicle.log {
            log.keep();
        }
        chronicle
    }

    /// Also for a start by the monitor itself.
    pub fn started(&mut self, record: &Record, beginning: Beginning) {
        let Some(log) = &mut self.log else { return };
        let of = |action| Event::container(action, record);
        let mut events = Vec::with_capacity(4);
        if beginning.created {
            events.push(Event {
                time: record.created.clone(),
                ..of(Action::Create)
            });
        }
        events.push(Event {
            time: clock::rfc3339(beginning.init, 0),
            ..of(Action::Init)
        });
        events.push(of(Action::Start));
        if beginning.attached {
            events.push(of(Action::Attach));
        }
        log.append(&events);
    }

    /// The container's name may be another one by now.
    pub fn renamed(&self, engine: &Containers, record: &mut Record) {
        let still = || matches!(engine.id_of_name(&record.name), Ok(Some(id)) if id == record.id);
        if self.log.is_some()
            && !still()
            && let Ok(Some(now)) = engine.load_record(&record.id)
        {
            record.name = now.name;
        }
    }

    /// Tells of anything else.
    pub fn append(&mut self, event: &Event) {
        if let Some(log) = &mut self.log {
            log.append(std::slice::from_ref(event));
        }
    }

    /// Tells of another run by the restart policy.
    pub fn restarted(&mut self, record: &Record, init: SystemTime) {
        if let Some(log) = &mut self.log {
            log.append(&[Event::container(Action::Restart, record)]);
        }
        self.started(
            record,
            Beginning {
                created: false,
                attached: false,
                init,
            },
        );
    }

    /// Tells of the end, and of what was made of it.
    pub fn ended(&mut self, record: &Record, code: i32, died: SystemTime, removed: bool) {
        let Some(log) = &mut self.log else { return };
        let of = |action| Event::container(action, record);
        let mut events = vec![
            Event {
                time: clock::rfc3339(died, 0),
                ..of(Action::Died).exit_code(code)
            },
            of(Action::Cleanup),
        ];
        if removed {
            events.push(of(Action::Remove));
        }
        log.append(&events);
    }

    /// Number of the descriptor.
    pub fn number(&self) -> Option<i32> {
        Some(self.log.as_ref()?.as_fd().as_raw_fd())
    }
}
