//! The rules for a policy, as functions.

use std::collections::BTreeSet;
use std::mem::discriminant;
use std::time::Duration;

use cachekit_core::{Admission, Call, ErrorCode, ErrorKind, Moment, Operation, ResiliencePolicy, Verdict};

use super::drive::{Drive, End, finish};
use super::{Outcome, PolicyFixture};
use crate::conformance::outcome::{Unmet, ensure, equal};
use crate::conformance::part::calm;
use crate::faults::dice::draw;

pub(super) fn policy_1_what_was_finished_is_free_again(fixture: &PolicyFixture) -> Outcome {
    let policy = (fixture.make)();
    let mut drive = Drive::of(&*policy);
    drive.walk(fixture.seed, 20_000, true);
    has_its_room_back(fixture, drive)
}

pub(super) fn policy_2_a_stale_finish_changes_nothing(fixture: &PolicyFixture) -> Outcome {
    let mut seen: Option<Vec<Verdict>> = None;
    for end in [End::Abandoned, End::Failure, End::Success] {
        let policy = (fixture.make)();
        let mut drive = Drive::of(&*policy);
        let stale = stale(&*policy, &mut drive)?;
        for (call, admission) in stale {
            finish(&*policy, &call, admission, end, drive.now, 0);
        }
        let mut verdicts = Vec::new();
        for seconds in 0..600 {
            verdicts.push(drive.ask_anew());
            drive.finish_all([End::Success, End::Failure][usize::from(seconds % 50 < 25)]);
            drive.give_up_all();
            drive.pass(Duration::from_secs(1));
        }
        let first = seen.get_or_insert_with(|| verdicts.clone());
        ensure(kinds(first) == kinds(&verdicts), "the same decisions, however stale calls ended", || {
            format!("others when they ended as {end:?}")
        })?;
        has_its_room_back(fixture, drive)?;
    }
    Ok(())
}

pub(super) fn policy_3_abandoned_counts_neither_way(fixture: &PolicyFixture) -> Outcome {
    let mut seen: Option<Vec<Verdict>> = None;
    for abandoned in [0, 300] {
        let policy = (fixture.make)();
        let mut drive = Drive::of(&*policy);
        let mut verdicts = Vec::new();
        for seconds in 0..400 {
            // Long enough between for what is counted in time to fill up again.
            drive.pass(Duration::from_secs(3_600 * u64::from(seconds % 100 == 0) + 1));
            if seconds % 100 == 10 {
                for _ in 0..abandoned {
                    drive.ask_anew();
                    drive.finish_all(End::Abandoned);
                    drive.give_up_all();
                }
                drive.pass(Duration::from_secs(1));
            }
            verdicts.push(drive.ask_anew());
            drive.finish_all([End::Success, End::Failure][usize::from(seconds % 100 > 8 && seconds % 100 < 14)]);
            drive.give_up_all();
        }
        let first = seen.get_or_insert_with(|| verdicts.clone());
        ensure(kinds(first) == kinds(&verdicts), "the same decisions with abandoned calls as without", || {
            "others".to_owned()
        })?;
    }
    Ok(())
}

pub(super) fn policy_4_tickets_differ(fixture: &PolicyFixture) -> Outcome {
    let policy = (fixture.make)();
    let mut drive = queued(&*policy)?;
    let tickets: BTreeSet<_> = drive.waiting().iter().map(|call| call.ticket).collect();
    equal("the number of tickets of four who wait", &tickets.len(), &drive.waiting().len())?;
    let ticket = drive.waiting()[0].ticket;
    match drive.ask_again(0, 0) {
        Verdict::Queue { ticket: kept, .. } => equal("the ticket when asked again", &Some(kept), &ticket),
        other => Err(Unmet::deviates("the queue, while nothing is free", format_args!("{other:?}"))),
    }
}

pub(super) fn policy_4_tickets_are_served_in_order(fixture: &PolicyFixture) -> Outcome {
    let policy = (fixture.make)();
    let mut drive = queued(&*policy)?;
    can_be_freed(&drive)?;
    drive.finish(0, End::Success, 0);
    let waits = |verdict| matches!(verdict, Verdict::Queue { .. });
    let later = drive.ask_again(1, 0);
    ensure(waits(later), "the second ticket to wait for the first", || format!("{later:?}"))?;
    let newcomer = drive.ask_anew();
    let passed = matches!(newcomer, Verdict::Go(_) | Verdict::GoAfter(..));
    ensure(!passed, "a newcomer to wait for those with tickets", || format!("{newcomer:?}"))?;
    let first = drive.ask_again(0, 0);
    ensure(!waits(first), "the first ticket to go when a place is free", || format!("{first:?}"))
}

pub(super) fn policy_4_a_ticket_given_up_makes_way(fixture: &PolicyFixture) -> Outcome {
    let policy = (fixture.make)();
    let mut drive = queued(&*policy)?;
    can_be_freed(&drive)?;
    drive.give_up(0);
    drive.finish(0, End::Success, 0);
    let next = drive.ask_again(0, 0);
    let goes = matches!(next, Verdict::Go(_) | Verdict::GoAfter(..));
    ensure(goes, "the second ticket to go after the first was given up", || format!("{next:?}"))
}

pub(super) fn policy_5_no_call_panics(fixture: &PolicyFixture) -> Outcome {
    let policy = (fixture.make)();
    calm("on a walk", || Drive::of(&*policy).walk(fixture.seed, 5_000, true))?;
    // What no driver does either: a policy that panics there takes the program with it.
    let moments = [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX].map(Moment::from_nanos);
    let extremes = [0, 1, u64::MAX / 2, u64::MAX];
    for now in moments {
        for began in moments {
            for random in extremes {
                for (attempt, ticket) in [(0, None), (u32::MAX, None), (0, Some(0)), (u32::MAX, Some(u64::MAX))] {
                    let mut call = Call::new(Operation::Load, began);
                    (call.attempt, call.ticket) = (attempt, ticket);
                    let when = format!("at {now:?} for {call:?} with chance {random}");
                    calm(&when, || {
                        policy.admit(&call, now, random);
                        for end in [End::Success, End::Failure, End::Abandoned] {
                            finish(&*policy, &call, Admission::new(random, !random), end, now, random);
                        }
                    })?;
                }
            }
        }
    }
    Ok(())
}

pub(super) fn policy_5_time_may_stand_still(fixture: &PolicyFixture) -> Outcome {
    let policy = (fixture.make)();
    let mut drive = Drive::of(&*policy);
    calm("while time stands still", || drive.walk(fixture.seed, 5_000, false))?;
    for verdict in &drive.verdicts {
        let (Verdict::GoAfter(wait, _) | Verdict::Queue { at_most: wait, .. }) = verdict else { continue };
        ensure(drive.now + *wait < Moment::FAR, "waits that end before time does", || format!("{verdict:?}"))?;
    }
    has_its_room_back(fixture, drive)
}

pub(super) fn policy_5_threads_lose_nothing(fixture: &PolicyFixture) -> Outcome {
    let policy = (fixture.make)();
    let joined = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let policy = &*policy;
                scope.spawn(move || {
                    let mut drive = Drive::of(policy);
                    for step in 0..2_000 {
                        drive.ask_anew();
                        let abandoned = draw(fixture.seed, thread, step).is_multiple_of(2);
                        drive.finish_all(if abandoned { End::Abandoned } else { End::Success });
                        drive.give_up_all();
                    }
                })
            })
            .collect();
        threads.into_iter().all(|thread| thread.join().is_ok())
    });
    ensure(joined, "no panic", || "a panic in one of 4 threads".to_owned())?;
    has_its_room_back(fixture, Drive::of(&*policy))
}

/// After all has been finished and hours have passed, as many calls go out as when the policy was new.
fn has_its_room_back(fixture: &PolicyFixture, mut drive: Drive<'_>) -> Outcome {
    let new = Drive::of(&*(fixture.make)()).room();
    drive.recover();
    let room = drive.room();
    ensure(room.is_as_large_as(new), format_args!("{new}, as when it was new, after all have been finished"), || {
        room.to_string()
    })
}

pub(super) fn policy_6_display_is_one_line_that_stays(fixture: &PolicyFixture) -> Outcome {
    let policy = (fixture.make)();
    let before = policy.to_string();
    ensure(!before.trim().is_empty() && !before.contains(char::is_control), "one line", || format!("{before:?}"))?;
    Drive::of(&*policy).walk(fixture.seed, 1_000, true);
    equal("Display after calls", &policy.to_string(), &before)
}

pub(super) fn policy_6_display_shows_the_settings(fixture: &PolicyFixture) -> Outcome {
    if fixture.settings.is_empty() {
        return Err(Unmet::skipped("the fixture does not say which settings there are"));
    }
    let shown = (fixture.make)().to_string();
    fixture.settings.iter().try_for_each(|setting| {
        ensure(shown.contains(setting), format_args!("{setting:?} in Display"), || format!("{shown:?}"))
    })
}

pub(super) fn policy_7_a_time_limit_is_ahead(fixture: &PolicyFixture) -> Outcome {
    let policy = (fixture.make)();
    let mut drive = Drive::of(&*policy);
    let mut limits = 0;
    for second in 0..100 {
        let asked = drive.now;
        if let Verdict::Go(admission) | Verdict::GoAfter(_, admission) = drive.ask_anew()
            && let Some((ends, code)) = admission.ends
        {
            limits += 1;
            ensure(ends > asked, "an end after the moment of the admission", || format!("{ends:?} at {asked:?}"))?;
            ensure(code.kind() == ErrorKind::Timeout, "a code of the kind TIMEOUT", || code.to_string())?;
        }
        drive.finish_all([End::Success, End::Failure][second % 2]);
        drive.give_up_all();
        drive.pass(Duration::from_secs(1));
    }
    if limits == 0 { Err(Unmet::skipped("it does not bound time")) } else { Ok(()) }
}

pub(super) fn policy_errors_refusals_have_their_codes(fixture: &PolicyFixture) -> Outcome {
    let policy = (fixture.make)();
    let mut drive = Drive::of(&*policy);
    drive.walk(fixture.seed, 5_000, true);
    // Whoever breaks a circuit does so now; whoever limits has no place left in the end.
    for _ in 0..1_000 {
        drive.give_up_all();
        drive.finish_all(End::Failure);
        drive.ask_anew();
    }
    for _ in 0..1_000 {
        drive.ask_anew();
    }
    for verdict in &drive.verdicts {
        let Verdict::Refuse(code) = verdict else { continue };
        let codes = [ErrorCode::E030, ErrorCode::E031, ErrorCode::E032, ErrorCode::E033];
        ensure(codes.contains(code), "a refusal with a code of E030 to E033", || code.to_string())?;
    }
    Ok(())
}

/// Calls of a generation that is over, not finished yet.
fn stale(policy: &dyn ResiliencePolicy, drive: &mut Drive<'_>) -> Outcome<Vec<(Call, Admission)>> {
    let mut held = Vec::new();
    for _ in 0..8 {
        let call = Call::new(Operation::Get, drive.now);
        match policy.admit(&call, drive.now, 0) {
            Verdict::Go(admission) | Verdict::GoAfter(_, admission) => held.push((call, admission)),
            Verdict::Queue { ticket, .. } => {
                let mut waiting = call;
                waiting.ticket = Some(ticket);
                finish(policy, &waiting, Admission::new(0, ticket), End::Abandoned, drive.now, 0);
            }
            _ => {}
        }
    }
    // Half of them are kept, lest they take all places.
    for (call, admission) in held.split_off(held.len().div_ceil(2)) {
        finish(policy, &call, admission, End::Failure, drive.now, 0);
    }
    let first = held.first().map(|(_, admission)| admission.generation);
    for _ in 0..1_000 {
        if let Verdict::Go(admission) | Verdict::GoAfter(_, admission) = drive.ask_anew()
            && first.is_some_and(|first| first != admission.generation)
        {
            drive.finish_all(End::Abandoned);
            drive.give_up_all();
            return Ok(held);
        }
        drive.finish_all(End::Failure);
        drive.give_up_all();
        drive.pass(Duration::from_secs(1));
    }
    Err(Unmet::skipped("a thousand failures did not change its generation"))
}

/// A drive with as many calls under way as may be, and four that wait.
fn queued(policy: &dyn ResiliencePolicy) -> Outcome<Drive<'_>> {
    let mut drive = Drive::of(policy);
    for _ in 0..10_000 {
        drive.ask_anew();
        if drive.waiting().len() == 4 {
            return Ok(drive);
        }
    }
    Err(Unmet::skipped("it lets nobody queue, with 10,000 calls under way"))
}

fn can_be_freed(drive: &Drive<'_>) -> Outcome {
    if drive.under_way() > 0 { Ok(()) } else { Err(Unmet::skipped("it lets all queue: no place can be made free")) }
}

/// What was decided, but for marks and tickets.
fn kinds(verdicts: &[Verdict]) -> Vec<(std::mem::Discriminant<Verdict>, Option<ErrorCode>)> {
    let code = |verdict: &Verdict| if let Verdict::Refuse(code) = verdict { Some(*code) } else { None };
    verdicts.iter().map(|verdict| (discriminant(verdict), code(verdict))).collect()
}
