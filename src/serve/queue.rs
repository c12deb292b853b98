//! The queue: how many texts wait or are being judged, and how long a refused client should wait.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::api_error::ApiError;

/// The places of the queue. A text holds one from its admission to its verdict.
#[derive(Debug)]
pub struct Queue {
    places: Arc<Semaphore>,
    /// The places that texts of batches may have at once.
    of_batches: Arc<Semaphore>,
    most_of_batches: AtomicU32,
    /// When another request last took a place.
    taken: Mutex<Option<Instant>>,
    limit: usize,
    rate: Mutex<Rate>,
}

/// A place in the queue.
#[derive(Debug)]
pub struct Place {
    _place: OwnedSemaphorePermit,
    _of_batches: Option<OwnedSemaphorePermit>,
}

/// Verdicts a second, measured only while there is work.
#[derive(Debug)]
struct Rate {
    per_second: Option<f64>,
    done: u32,
    since: Instant,
}

/// The longest time in a refusal, in seconds. OpenAI's clients ignore longer times.
const LONGEST_WAIT: f64 = 120.0;

/// The time without other requests after which a batch uses all its places.
const ALONE: Duration = Duration::from_secs(2);

impl Queue {
    /// Returns an empty queue for this many texts.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        let rate = Rate { per_second: None, done: 0, since: Instant::now() };
        let most = u32::try_from(limit / 4).unwrap_or(u32::MAX).max(1);
        Self {
            places: Arc::new(Semaphore::new(limit)),
            of_batches: Arc::new(Semaphore::new(most as usize)),
            most_of_batches: most.into(),
            taken: Mutex::default(),
            limit,
            rate: Mutex::new(rate),
        }
    }

    /// Leaves batches this many places at most. They have a quarter of the queue anyway.
    pub fn limit_batches(&self, most: usize) {
        let most = u32::try_from(most).unwrap_or(u32::MAX).max(1);
        let before = self.most_of_batches.fetch_min(most, Ordering::Relaxed);
        self.of_batches.forget_permits(before.saturating_sub(most) as usize);
    }

    /// Takes a place, if one is free.
    ///
    /// # Errors
    ///
    /// Status 503, with the seconds until the queue should be empty.
    pub fn take(&self) -> Result<Place, ApiError> {
        if self.items() == 0 {
            self.begin();
        }
        self.note();
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| self.overloaded())?;
        Ok(Place { _place: place, _of_batches: None })
    }

    /// Waits for a place.
    ///
    /// # Errors
    ///
    /// Never in practice: the queue is not closed.
    pub async fn wait(&self) -> Result<Place, ApiError> {
        self.note();
        self.free().await
    }

    async fn free(&self) -> Result<Place, ApiError> {
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| self.overloaded())?;
        Ok(Place { _place: place, _of_batches: None })
    }

    /// Waits for a place that batches may have. While other requests come, a batch has a single text in the queue.
    ///
    /// # Errors
    ///
    /// Never in practice: the queue is not closed.
    pub async fn wait_for_batch(&self) -> Result<Place, ApiError> {
        let places = if self.is_alone() { 1 } else { self.most_of_batches.load(Ordering::Relaxed) };
        let of_batches = Arc::clone(&self.of_batches).acquire_many_owned(places).await;
        let of_batches = of_batches.map_err(|_| self.overloaded())?;
        Ok(Place { _of_batches: Some(of_batches), ..self.free().await? })
    }

    /// Returns how many texts of work in the background may be judged at once: as many as a batch may have in the queue.
    pub fn background(&self) -> usize {
        let most = self.most_of_batches.load(Ordering::Relaxed);
        if self.is_alone() { most as usize } else { 1 }
    }

    /// Reports whether no other requests come.
    fn is_alone(&self) -> bool {
        let taken = *self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.is_none_or(|taken| taken.elapsed() > ALONE)
    }

    /// Returns the verdicts a second, once that was measured.
    #[must_use]
    pub fn per_second(&self) -> Option<f64> {
        self.rate.lock().unwrap_or_else(PoisonError::into_inner).per_second
    }

    /// Notes that another request than a batch takes a place.
    fn note(&self) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Returns the number of texts that wait or are being judged.
    #[must_use]
    pub fn items(&self) -> usize {
        self.limit - self.places.available_permits()
    }

    /// Returns the size of the queue in texts.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Counts a verdict.
    pub fn count(&self) {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.done += 1;
        let seconds = rate.since.elapsed().as_secs_f64();
        if seconds >= 1.0 {
            let now = f64::from(rate.done) / seconds;
            let per_second = Some(rate.per_second.map_or(now, |before| 0.7 * before + 0.3 * now));
            *rate = Rate { per_second, done: 0, since: Instant::now() };
        }
    }

    /// Begins to measure: the time without work does not count.
    fn begin(&self) {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        (rate.done, rate.since) = (0, Instant::now());
    }

    fn overloaded(&self) -> ApiError {
        let message = format!("the server is overloaded: {} texts wait already", self.items());
        ApiError::unavailable("overloaded", message, self.seconds())
    }

    /// Returns the seconds after which the texts of now should have their verdicts, from 1 to 120.
    fn seconds(&self) -> u64 {
        let rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the first second of work is over, the verdicts until now tell the rate.
        let now = f64::from(rate.done.max(1)) / rate.since.elapsed().as_secs_f64().max(0.1);
        let per_second = rate.per_second.unwrap_or(now);
        #[allow(clippy::cast_precision_loss, reason = "a queue has few places")]
        let seconds = (self.items() as f64 / per_second).ceil().clamp(1.0, LONGEST_WAIT);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a number from 1 to 120")]
        return seconds as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_with_a_time_and_a_place_that_is_given_back_is_free() {
        let queue = Queue::new(2);
        let (one, _two) = (queue.take().unwrap(), queue.take().unwrap());
        let refused = queue.take().unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code, queue.items()), (503, "overloaded", 2));
        assert!((1..=120).contains(&refused.retry_after.unwrap()));
        drop(one);
        assert!(queue.take().is_ok());
    }

    #[test]
    fn a_batch_leaves_most_places_to_others() {
        let queue = Queue::new(16);
        queue.limit_batches(3);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut places = Vec::new();
            for _ in 0..3 {
                places.push(queue.wait_for_batch().await.unwrap());
            }
            let moment = Duration::from_millis(10);
            assert!(tokio::time::timeout(moment, queue.wait_for_batch()).await.is_err());
            assert_eq!(queue.items(), 3);
            places.pop();
            places.push(queue.wait_for_batch().await.unwrap());
            let other = queue.take();
            assert!(other.is_ok());
            places.truncate(1);
            let beside = tokio::time::timeout(moment, queue.wait_for_batch()).await;
            assert!(beside.is_err(), "beside other requests, a batch has one text in the queue");
            places.clear();
            assert!(queue.wait_for_batch().await.is_ok());
        });
        assert_eq!((0..16).map_while(|_| queue.take().ok()).count(), 16);
        let few = Queue::new(2);
        few.limit_batches(8);
        assert_eq!(few.of_batches.available_permits(), 1);
    }

    #[test]
    fn idle_time_does_not_lengthen_the_wait() {
        let queue = Queue::new(1);
        queue.rate.lock().unwrap().since = Instant::now().checked_sub(Duration::from_mins(1)).unwrap();
        let _place = queue.take().unwrap();
        assert_eq!(queue.take().unwrap_err().retry_after, Some(1));
    }
}
