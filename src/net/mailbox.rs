//! Messages to a thread that sleeps in a mio poll: a channel and a waker.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use mio::Waker;

/// The sending side of a thread's mailbox; cheap to clone.
#[derive(Debug)]
pub struct Mailbox<T> {
    sender: Sender<T>,
    waker: Arc<Waker>,
}

impl<T> Mailbox<T> {
    /// A mailbox for at most `capacity` messages, and the receiver for the thread that `waker`
    /// wakes.
    pub fn bounded(capacity: usize, waker: Arc<Waker>) -> (Self, Receiver<T>) {
        let (sender, receiver) = crossbeam_channel::bounded(capacity);
        (Self { sender, waker }, receiver)
    }

    /// A mailbox without a bound of its own, for messages whose number is bounded elsewhere (by
    /// connections, say).
    pub fn unbounded(waker: Arc<Waker>) -> (Self, Receiver<T>) {
        let (sender, receiver) = crossbeam_channel::unbounded();
        (Self { sender, waker }, receiver)
    }

    /// Puts a message in without waking the thread; [`Self::wake`] once after a batch.
    ///
    /// # Errors
    /// Gives the message back when the mailbox is full or its thread has ended.
    pub fn post(&self, message: T) -> Result<(), T> {
        self.sender.try_send(message).map_err(|error| match error {
            TrySendError::Full(message) | TrySendError::Disconnected(message) => message,
        })
    }

    /// Wakes the thread, so that it looks into its mailbox.
    pub fn wake(&self) {
        if let Err(error) = self.waker.wake() {
            log::error!("cannot wake a thread: {error}");
        }
    }

    /// Posts and wakes.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub fn send(&self, message: T) -> Result<(), T> {
        self.post(message)?;
        self.wake();
        Ok(())
    }
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            waker: Arc::clone(&self.waker),
        }
    }
}
