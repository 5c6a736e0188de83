//! `attach`: joins a running container's stdio.

use crate::error::{Error, Kind, Result};

use super::client::{Connection, Session, Signals, detach_keys, send_size};
use super::engine::Container;
use super::events::Action;
use super::options::{AttachOptions, RunOutcome, Streams};
use super::protocol::{FrameKind, Wants};
use super::record::Status;
use super::watch::connect_attach;

impl Container {
    pub fn attach(&self, options: &AttachOptions<'_>) -> Result<RunOutcome> {
        let mut me = self.clone();
        if !me.refresh()? || !matches!(me.state.status, Status::Running | Status::Paused) {
            return Err(Error::new(
                Kind::State,
                "you can only attach to running containers: container state improper",
            ));
        }
        if me.state.is_elsewhere() {
            return Err(me.elsewhere("attach to"));
        }
        if me.record.request.log.driver.is_passthrough() {
            return Err(Error::new(
                Kind::State,
                format!(
                    "attach to container {}: its stdio was passed through to it",
                    me.record.id
                ),
            ));
        }
        let Some(sock) = connect_attach(&me.run_dir())? else {
            return Err(Error::new(
                Kind::State,
                format!("attach to container {}: its monitor is gone", me.record.id),
            ));
        };
        let signals = Signals::block(options.sig_proxy)?;
        let mut connection = Connection::new(sock);
        let session = me.session(options)?;
        connection.send(FrameKind::Hello, &[wants(session.streams).to_byte()])?;
        me.emit(Action::Attach);
        if session.tty {
            send_size(&mut connection, &options.terminal);
        }
        session.run(&mut connection, &signals)
    }

    /// What the foreground side of a connection to this container needs.
    pub(super) fn session<'a>(&self, options: &AttachOptions<'a>) -> Result<Session<'a>> {
        let request = &self.record.request;
        let mut streams = options.streams;
        streams.stdin &= request.interactive;
        Ok(Session {
            terminal: options.terminal,
            streams,
            tty: request.tty,
            detach_keys: detach_keys(options.detach_keys, request.detach_keys.as_deref())?,
            sig_proxy: options.sig_proxy,
            init: self.state.open_init(),
        })
    }
}

pub(super) fn wants(streams: Streams) -> Wants {
    Wants {
        stdin: streams.stdin,
        stdout: streams.stdout,
        stderr: streams.stderr,
    }
}
