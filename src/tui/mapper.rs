//! Lays out pictures of the map on a thread of its own, so that no frame and no key waits for it.

use std::sync::mpsc as blocking;
use std::thread;

use tokio::sync::mpsc;

use crate::app::map::{Laid, Request};

/// The thread, as the loop sees it. It ends when this is dropped.
pub(super) struct Mapper {
    wanted: Option<blocking::Sender<Request>>,
    done: mpsc::UnboundedReceiver<Laid>,
}

impl Mapper {
    pub(super) fn start() -> Self {
        let (wanted, requests) = blocking::channel::<Request>();
        let (answers, done) = mpsc::unbounded_channel();
        let work = move || {
            while let Ok(mut request) = requests.recv() {
                // Of several that wait the last one is wanted.
                while let Ok(later) = requests.try_recv() {
                    request = later;
                }
                if answers.send(request.run()).is_err() {
                    return;
                }
            }
        };
        let started = thread::Builder::new().name("map layout".to_owned()).spawn(work).is_ok();
        Self { wanted: started.then_some(wanted), done }
    }

    /// Asks for a picture. Where no thread could be started it is laid out here and now: late is better than never.
    pub(super) fn ask(&self, request: Request) -> Option<Laid> {
        match &self.wanted {
            Some(wanted) => wanted.send(request).err().map(|lost| lost.0.run()),
            None => Some(request.run()),
        }
    }

    /// The next picture.
    pub(super) async fn next(&mut self) -> Laid {
        match self.done.recv().await {
            Some(laid) => laid,
            None => std::future::pending().await,
        }
    }
}
