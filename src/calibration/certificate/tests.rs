use super::*;
use crate::calibration::interval::upper_bound;
use crate::calibration::map::FitMethod;
use crate::random::Random;

/// Rows whose probability is a quarter too bold.
fn rows(count: usize, seed: u64) -> Vec<(bool, f64)> {
    let mut random = Random::new(seed);
    #[allow(clippy::cast_precision_loss)]
    let mut unit = move || random.bits() as f64 / u64::MAX as f64;
    (0..count)
        .map(|_| {
            let truth = unit();
            let bold = if truth > 0.5 { truth.powf(0.5) } else { truth.powi(2) };
            (unit() < truth, bold)
        })
        .collect()
}

fn about() -> EvaluationSetup {
    let terms = [("effort", "none".into()), ("--chunk", serde_json::Value::Null), ("--budget", 64.into())];
    let terms = Terms(terms.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
    EvaluationSetup { terms, ..EvaluationSetup::default() }
}

#[test]
fn a_certificate_keeps_its_promise_as_often_as_it_says() {
    let (alpha, delta, trials) = (0.2, 0.1, 200);
    // Enough rows that their share of errors is close to the true rate.
    let truth = rows(40_000, 1);
    let (mut broken, mut issued) = (0_u32, 0_u32);
    for seed in 0..trials {
        let certificate =
            Certificate::issue(about(), &rows(1200, seed + 2), FitMethod::Temperature, alpha, delta, seed);
        let Ok(certificate) = certificate else { continue };
        issued += 1;
        #[allow(clippy::cast_precision_loss)]
        let breaks = certificate.errors(&truth).iter().any(|(all, wrong)| *wrong as f64 > alpha * *all as f64);
        broken += u32::from(breaks);
    }
    assert!(issued > 150, "{issued}");
    let issued = f64::from(issued);
    let (rate, most) = (f64::from(broken) / issued, delta + 2.0 * (delta * (1.0 - delta) / issued).sqrt());
    assert!(rate <= most, "{broken} of {issued} broke their promise");
}

#[test]
fn thresholds_never_cross_and_each_side_keeps_its_promise_on_the_rows_that_tested_it() {
    let mut both = 0;
    for seed in 0..30 {
        // The sets differ in their share of violations and in noise, so one side can span the whole range.
        let mut random = Random::new(seed);
        #[allow(clippy::cast_precision_loss)]
        let mut unit = move || random.bits() as f64 / u64::MAX as f64;
        let (share, noise) = (0.02 + 0.9 * unit(), unit());
        let rows: Vec<(bool, f64)> = (0..600)
            .map(|_| {
                let was = unit() < share;
                (was, (f64::from(u8::from(was)) * (1.0 - noise) + noise * unit()).clamp(0.0, 1.0))
            })
            .collect();
        for (method, alpha) in
            [(FitMethod::Temperature, 0.05), (FitMethod::Isotonic, 0.3), (FitMethod::Temperature, 0.45)]
        {
            let issued = Certificate::issue(about(), &rows, method, alpha, 0.2, seed);
            let Ok(certificate) = issued else { continue };
            if let (Some(low), Some(high)) = (certificate.low, certificate.high) {
                assert!(low < high, "seed {seed}: safe up to {low}, a violation from {high}");
                assert!(low <= 0.5 && high >= 0.5, "seed {seed}: {low} {high}");
                both += 1;
            }
            for (all, wrong) in certificate.sides {
                assert!(upper_bound(wrong, all, 0.1) <= alpha || all == 0, "seed {seed}: {wrong} of {all}");
            }
            let read = Certificate::read(&serde_json::to_vec(&certificate).unwrap());
            assert_eq!(read.as_ref(), Ok(&certificate));
        }
    }
    assert!(both > 10, "{both} certificates had two sides");
}

#[test]
fn a_set_of_one_class_gets_no_certificate() {
    for was in [true, false] {
        let rows: Vec<(bool, f64)> = (0..1000).map(|row| (was, f64::from(row) / 1000.0)).collect();
        let none = Certificate::issue(about(), &rows, FitMethod::Temperature, 0.05, 0.1, 0);
        assert!(matches!(none, Err(NoCertificate::OneClass { .. })), "{none:?}");
    }
    assert!(Certificate::issue(about(), &[], FitMethod::Temperature, 0.05, 0.1, 0).is_err());
}

#[test]
fn a_certificate_holds_under_its_own_terms_and_names_each_that_differs() {
    let certificate = Certificate::issue(about(), &rows(1200, 2), FitMethod::Temperature, 0.2, 0.1, 0).unwrap();
    let terms = certificate.about.terms.clone();
    assert_eq!(certificate.unlike(&terms), None);
    let mut others = terms.clone();
    others.0.insert("--chunk".into(), 8.into());
    others.0.insert("effort".into(), "low".into());
    let differences = certificate.unlike(&others).unwrap();
    assert_eq!(
        differences,
        "it was issued for another effort (none, and here low), another --chunk (not given, and here 8)"
    );
    // A certificate no longer holds once any term is changed, left out or added.
    for (name, value) in &terms.0 {
        let (mut changed, mut absent) = (terms.clone(), terms.clone());
        changed.0.insert(name.clone(), "something else".into());
        absent.0.shift_remove(name);
        assert!(certificate.unlike(&changed).unwrap().contains(name.as_str()));
        // A null term is a flag that was not given, so leaving it out changes nothing.
        assert_eq!(certificate.unlike(&absent).is_some(), !value.is_null(), "{name}");
    }
    assert!(certificate.unlike(&Terms::default()).is_some());
}

#[test]
fn what_no_certificate_could_say_is_refused_when_it_is_read() {
    let certificate = Certificate::issue(about(), &rows(1200, 2), FitMethod::Isotonic, 0.2, 0.1, 0).unwrap();
    let json = serde_json::to_value(&certificate).unwrap();
    let with = |name: &str, value: serde_json::Value| {
        let mut json = json.clone();
        json[name] = value;
        Certificate::read(json.to_string().as_bytes())
    };
    assert!(with("alpha", 0.1.into()).is_ok());
    let crossed = certificate.low.map(|low| low / 2.0);
    for (name, value, why) in [
        ("high", 7.0.into(), "outside 0 to 1"),
        ("low", (-0.1).into(), "outside 0 to 1"),
        ("high", crossed.into(), "cross"),
        ("alpha", 0.5.into(), "alpha"),
        ("delta", 0.into(), "delta"),
        ("map", serde_json::json!({"method": "isotonic", "from": [0.0], "value": [7.0]}), "outside 0 to 1"),
        ("map", serde_json::json!({"method": "temperature", "temperature": -1, "bias": 0}), "temperature"),
        ("certificate", 3.into(), "version 3"),
        ("certificate", serde_json::Value::Null, "earlier version"),
        ("rows", "many".into(), "damaged"),
    ] {
        let read = with(name, value.clone());
        assert!(read.as_ref().is_err_and(|error| error.to_string().contains(why)), "{name} {value}: {read:?}");
    }
    for json in ["{}", "[]", "{\"text\":\"a\"}", "no JSON", ""] {
        assert!(Certificate::read(json.as_bytes()).unwrap_err().to_string().contains("no certificate"), "{json}");
    }
}

#[test]
fn too_few_rows_are_refused_with_how_many_are_needed() {
    assert_eq!(least(0.05, 0.1), 59);
    let few = Certificate::issue(about(), &rows(100, 1), FitMethod::Temperature, 0.05, 0.1, 0);
    assert_eq!(few, Err(NoCertificate::TooFew { have: 100, need: 236, side: 59 }));
    let hopeless: Vec<(bool, f64)> = (0..1000).map(|row| (row % 2 == 0, f64::from(row % 7) / 7.0)).collect();
    let wrong = Certificate::issue(about(), &hopeless, FitMethod::Temperature, 0.05, 0.1, 0);
    assert!(matches!(wrong, Err(NoCertificate::Wrong { .. })), "{wrong:?}");
}
