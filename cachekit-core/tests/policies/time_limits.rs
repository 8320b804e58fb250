//! The deadline and the timeout per attempt beside what they say.

use std::time::Duration;

use cachekit_core::{
    Admission, AttemptTimeout, Call, Deadline, ErrorCode, Moment, Operation, ResiliencePolicy, Verdict,
};

use crate::SEQUENCES;
use crate::dice::Dice;

#[test]
fn they_end_when_they_say() {
    for seed in 0..SEQUENCES {
        let mut dice = Dice::new(seed);
        let limit = Duration::from_nanos(1 + dice.below(10_000));
        let (deadline, timeout) = (Deadline::new(limit).unwrap(), AttemptTimeout::new(limit).unwrap());
        let began = dice.below(1 << 50);
        let mut now = began;
        for attempt in 0..4 {
            let mut call = Call::new(Operation::Get, Moment::from_nanos(began));
            call.attempt = attempt;
            let nanos = u64::try_from(limit.as_nanos()).unwrap();
            let ending = |ends, code| Verdict::Go(Admission::new(0, 0).ending(Moment::from_nanos(ends), code));
            let whole = if now - began < nanos {
                ending(began + nanos, ErrorCode::E033)
            } else {
                Verdict::Refuse(ErrorCode::E033)
            };
            assert_eq!(deadline.admit(&call, Moment::from_nanos(now), dice.next()), whole, "seed {seed}");
            let each = ending(now + nanos, ErrorCode::E064);
            assert_eq!(timeout.admit(&call, Moment::from_nanos(now), dice.next()), each, "seed {seed}");
            now += dice.below(6_000);
        }
    }
}
