//! The concurrency limit, with numbers for time.

use super::super::settings::assert_refused;
use super::*;
use crate::Operation;

fn at(millis: u64) -> Moment {
    Moment::from_nanos(millis * 1_000_000)
}

fn with_ticket(ticket: Option<u64>) -> Call {
    let mut call = Call::new(Operation::Get, at(0));
    call.ticket = ticket;
    call
}

fn limit(at_once: u32, queue: u32) -> ConcurrencyLimit {
    let builder = ConcurrencyLimit::builder(at_once).with_queue(queue).with_wait(Duration::from_millis(100));
    builder.build().unwrap()
}

/// Asks at so many milliseconds, with a ticket or without. The answer in short: "go", "full", or the ticket with what is
/// left of its wait.
fn ask(limit: &ConcurrencyLimit, ticket: impl Into<Option<u64>>, now: u64) -> String {
    match limit.admit(&with_ticket(ticket.into()), at(now), 0) {
        Verdict::Go(_) => "go".to_owned(),
        Verdict::Queue { ticket, at_most } => format!("{ticket} for {}", at_most.as_millis()),
        Verdict::Refuse(ErrorCode::E032) => "full".to_owned(),
        other => panic!("{other:?}"),
    }
}

fn end(limit: &ConcurrencyLimit) {
    limit.finish(&with_ticket(None), Admission::new(0, 0), Outcome::Abandoned, at(0), 0);
}

fn give_up(limit: &ConcurrencyLimit, ticket: u64) {
    limit.finish(&with_ticket(Some(ticket)), Admission::new(0, ticket), Outcome::Abandoned, at(0), 0);
}

#[test]
fn as_many_as_may_are_under_way_some_wait_and_the_rest_is_refused() {
    let limit = limit(2, 2);
    let answers: Vec<_> = (0..5).map(|_| ask(&limit, None, 0)).collect();
    assert_eq!(answers, ["go", "go", "1 for 100", "2 for 100", "full"]);
    assert_eq!((limit.under_way(), limit.waiting()), (2, 2));
}

#[test]
fn without_a_queue_nobody_waits() {
    let limit = limit(1, 0);
    assert_eq!([ask(&limit, None, 0), ask(&limit, None, 0)], ["go", "full"]);
    end(&limit);
    assert_eq!(ask(&limit, None, 0), "go");
    assert_eq!(limit.to_string(), "limit(1 at once, no queue)");
}

#[test]
fn tickets_are_served_in_order_and_nobody_overtakes() {
    let limit = limit(1, 4);
    assert_eq!(ask(&limit, None, 0), "go");
    assert_eq!([ask(&limit, None, 0), ask(&limit, None, 10)], ["1 for 100", "2 for 100"]);
    end(&limit);
    assert_eq!(ask(&limit, 2, 20), "2 for 90", "the first comes first");
    assert_eq!(ask(&limit, None, 20), "3 for 100", "and so does whoever waits");
    assert_eq!(ask(&limit, 1, 20), "go");
    assert_eq!(ask(&limit, 2, 30), "2 for 80");
    end(&limit);
    assert_eq!([ask(&limit, 2, 40), ask(&limit, 3, 40)], ["go", "3 for 80"]);
    // Whoever waited holds a place like any other, and a ticket is good for one.
    assert_eq!(ask(&limit, 2, 40), "full");
    end(&limit);
    assert_eq!([ask(&limit, 3, 40), ask(&limit, None, 40)], ["go", "4 for 100"]);
}

#[test]
fn a_ticket_that_is_given_up_makes_way() {
    let limit = limit(1, 2);
    assert_eq!(ask(&limit, None, 0), "go");
    assert_eq!([ask(&limit, None, 0), ask(&limit, None, 0)], ["1 for 100", "2 for 100"]);
    give_up(&limit, 1);
    give_up(&limit, 1);
    assert_eq!((limit.under_way(), limit.waiting()), (1, 1));
    assert_eq!(ask(&limit, None, 0), "3 for 100", "there is room in the queue again");
    end(&limit);
    assert_eq!(ask(&limit, 1, 0), "full", "it is no longer there");
    assert_eq!(ask(&limit, 2, 0), "go");
}

#[test]
fn a_wait_ends() {
    let limit = limit(1, 3);
    assert_eq!(ask(&limit, None, 0), "go");
    assert_eq!([ask(&limit, None, 0), ask(&limit, None, 50)], ["1 for 100", "2 for 100"]);
    assert_eq!(ask(&limit, 1, 99), "1 for 1");
    assert_eq!([ask(&limit, 1, 100), ask(&limit, 1, 100)], ["full", "full"]);
    assert_eq!(limit.waiting(), 1);
    // Late, but a place is free: better than nothing.
    end(&limit);
    assert_eq!(ask(&limit, 2, 500), "go");
    assert_eq!((limit.under_way(), limit.waiting()), (1, 0));
}

#[test]
fn who_does_not_come_back_is_passed_over() {
    let limit = limit(1, 2);
    assert_eq!(ask(&limit, None, 0), "go");
    assert_eq!([ask(&limit, None, 0), ask(&limit, None, 50)], ["1 for 100", "2 for 100"]);
    end(&limit);
    assert_eq!(ask(&limit, 2, 99), "2 for 51");
    assert_eq!(ask(&limit, 2, 100), "go");
    assert_eq!(ask(&limit, 1, 100), "full");
    // Neither does it keep newcomers out for ever.
    assert_eq!(ask(&limit, None, 100), "3 for 100");
    end(&limit);
    assert_eq!(ask(&limit, None, 300), "go");
    assert_eq!((limit.under_way(), limit.waiting()), (1, 0));
}

#[test]
fn what_was_not_admitted_gives_nothing_back() {
    let limit = limit(1, 1);
    end(&limit);
    assert_eq!(limit.under_way(), 0);
    assert_eq!([ask(&limit, None, 0), ask(&limit, None, 0)], ["go", "1 for 100"]);
    // Of another generation than there are, or with a ticket that never was.
    limit.finish(&with_ticket(None), Admission::new(7, 0), Outcome::Abandoned, at(0), 0);
    give_up(&limit, 99);
    assert_eq!((limit.under_way(), limit.waiting()), (1, 1));
}

#[test]
fn what_cannot_be_is_refused() {
    let make = ConcurrencyLimit::builder;
    let name = "concurrency limit:";
    assert_refused(make(0).build(), &format!("{name} calls at once: expected 1 to 1000000, got 0"));
    assert_refused(make(1_000_001).build(), &format!("{name} calls at once: expected 1 to 1000000, got 1000001"));
    let refused = make(1).with_queue(1_000_001).build();
    assert_refused(refused, &format!("{name} places in the queue: expected 0 to 1000000, got 1000001"));
    let refused = make(1).with_wait(Duration::ZERO).build();
    assert_refused(refused, &format!("{name} wait in the queue: expected 1ns to 86400s, got 0ns"));
}
