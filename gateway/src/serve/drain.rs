//! How far the end of a listener has come, told to all of its connections.
//! Knows two moments (draining, closing); what a connection does at each, `stream` says, and when they come, `listeners`.

use std::future::Future;

use tokio::sync::watch;

/// How far the end has come; shared by all connections of a listener.
#[derive(Clone, Debug)]
pub(super) struct Drain(watch::Sender<Moment>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Moment {
    Serving,
    /// Each answer is its connection's last.
    Draining,
    /// Idle connections close.
    Closing,
}

impl Default for Drain {
    fn default() -> Self {
        Self(watch::Sender::new(Moment::Serving))
    }
}

impl Drain {
    pub(super) fn is_draining(&self) -> bool {
        *self.0.borrow() >= Moment::Draining
    }

    /// Ends when nothing more is to be accepted.
    pub(super) fn draining(&self) -> impl Future<Output = ()> + use<> {
        self.until(Moment::Draining)
    }

    /// Ends when idle connections are to close.
    pub(super) fn closing(&self) -> impl Future<Output = ()> + use<> {
        self.until(Moment::Closing)
    }

    fn until(&self, moment: Moment) -> impl Future<Output = ()> + use<> {
        let mut moments = self.0.subscribe();
        async move {
            // An error means that the sender is gone, and the server with it.
            let _ = moments.wait_for(|reached| *reached >= moment).await;
        }
    }

    pub(super) fn reach(&self, moment: Moment) {
        self.0.send_modify(|known| *known = moment.max(*known));
    }
}
