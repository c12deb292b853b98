//! Measures the work of the engine itself beside a device: `steps MODEL.gguf [AT-ONCE] [MILLISECONDS]`.
//!
//! The backend here computes nothing. A step takes the given time (default 10 ms), and its logits have the model's whole
//! vocabulary. All time beyond that is the engine's own work: sampling, scoring and the next batch.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use magistrate::engine::backend::{Backend, Batch, Fault, Layout, Limits, LogitsRow, SeqId};
use magistrate::engine::decode_plan::DecodePlan;
use magistrate::engine::schedule::{JobId, Schedule};
use magistrate::gguf::inspect;
use magistrate::random::Random;
use magistrate::tokenizer::Token;

/// Tokens that each text writes.
const WRITTEN: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().ok_or("usage: steps MODEL.gguf [AT-ONCE] [MILLISECONDS]")?;
    let number = |at: usize, default: u64| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let (parallel, step) = (usize::try_from(number(1, 32)?)?, Duration::from_millis(number(2, 10)?));
    let tokenizer = Arc::new(inspect(Path::new(path))?.tokenizer()?);
    let limits = Limits {
        layout: Layout::Unified,
        cells: 1 << 20,
        batch: 2048,
        outputs: parallel.max(128),
        sequences: 3 * parallel,
    };
    let mut random = Random::new(1);
    let row: Vec<f32> =
        (0..tokenizer.len()).map(|_| f32::from(u16::try_from(random.below(4096)).unwrap_or(0))).collect();
    // llama.cpp has the rows of a batch side by side.
    let logits: Vec<f32> = row.iter().cycle().take(tokenizer.len() * parallel).copied().collect();
    let mut device = Device { limits, step, logits, vocabulary: tokenizer.len(), places: Vec::new(), steps: 0 };
    let plan = Arc::new(DecodePlan::counted(Arc::clone(&tokenizer), WRITTEN, &[]));
    let mut schedule = Schedule::new(&mut device, parallel, 0);
    let prefix = schedule.add_prefix(vec![Token(1); 100]);
    for job in 0..parallel {
        schedule.submit(JobId(job as u64), prefix, Arc::clone(&plan), vec![Token(2); 10])?;
    }
    let begun = Instant::now();
    while !schedule.idle() {
        schedule.step();
    }
    let wall = begun.elapsed();
    schedule.remove_prefix(prefix);
    drop(schedule);
    let own = wall.saturating_sub(step * device.steps);
    println!(
        "{} steps of {parallel} texts and {} logits: {:.3} ms of the engine's own work each, {:.1} % of the wall time",
        device.steps,
        device.vocabulary,
        1e3 * own.as_secs_f64() / f64::from(device.steps.max(1)),
        100.0 * own.as_secs_f64() / wall.as_secs_f64(),
    );
    Ok(())
}

/// A device that takes its time.
struct Device {
    limits: Limits,
    step: Duration,
    logits: Vec<f32>,
    vocabulary: usize,
    /// The place of each entry's row among the rows of the batch.
    places: Vec<usize>,
    steps: u32,
}

impl Backend for Device {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn decode(&mut self, batch: &Batch) -> Result<(), Fault> {
        let end = Instant::now() + self.step;
        self.places.clear();
        let mut rows = 0;
        for entry in batch.entries() {
            self.places.push(rows % self.limits.outputs);
            rows += usize::from(entry.logits);
        }
        self.steps += 1;
        // A sleep alone ends too late.
        std::thread::sleep(self.step.mul_f64(0.8));
        while Instant::now() < end {
            std::hint::spin_loop();
        }
        Ok(())
    }

    fn logits(&self, row: LogitsRow) -> &[f32] {
        let begin = self.places[row.index()] * self.vocabulary % self.logits.len();
        &self.logits[begin..begin + self.vocabulary]
    }

    fn fork(&mut self, _from: SeqId, _to: SeqId) {}

    fn clear(&mut self, _seq: SeqId) {}

    fn compact(&mut self, _seq: SeqId) -> Result<(), Fault> {
        Ok(())
    }

    fn save(&mut self, _seq: SeqId) -> Result<Vec<u8>, Fault> {
        Ok(Vec::new())
    }

    fn restore(&mut self, _saved: &[u8], _seq: SeqId) -> Result<(), Fault> {
        Ok(())
    }

    fn span(&self, _seq: SeqId) -> Option<(usize, usize)> {
        None
    }
}
