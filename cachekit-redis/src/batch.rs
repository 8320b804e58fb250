//! Batches: cut into pieces of bounded size, an answer for each element in the order asked.

use cachekit_core::{Entry, Error, Key, Operation, Result, Write};

use crate::RedisBackend;
use crate::backend::{done, number, remove, write};

impl RedisBackend {
    pub(crate) async fn get_in_pieces(&self, keys: &[Key]) -> Vec<Result<Option<Entry>>> {
        let mut answers = Vec::with_capacity(keys.len());
        for piece in keys.chunks(MOST_COMMANDS) {
            match self.ask_for(piece).await {
                Ok(found) => answers.extend(found.into_iter().map(Ok)),
                Err(error) => {
                    let rest = &keys[answers.len()..];
                    answers.extend(rest.iter().map(|key| Err(told(&error, Operation::GetMany, key))));
                    break;
                }
            }
        }
        answers
    }

    pub(crate) async fn set_in_pieces(&self, writes: &[Write]) -> Vec<Result<()>> {
        let mut answers: Vec<Option<Result<()>>> = writes.iter().map(|_| None).collect();
        let mut next = 0;
        while next < writes.len() {
            let mut piece = redis::pipe();
            let mut sent = Vec::new();
            let mut bytes = 0;
            while let Some(Write { key, value, options, .. }) = writes.get(next) {
                if !sent.is_empty() && (sent.len() == MOST_COMMANDS || bytes + value.len() > MOST_BYTES) {
                    break;
                }
                match write(key, value, options) {
                    Ok(command) => {
                        piece.add_command(command);
                        sent.push(next);
                        bytes += value.len();
                    }
                    Err(error) => answers[next] = Some(Err(told(&error, Operation::SetMany, key))),
                }
                next += 1;
            }
            if sent.is_empty() {
                break;
            }
            match self.ask_all(&piece, done).await {
                Ok(piece) => {
                    for (at, answer) in sent.into_iter().zip(piece) {
                        answers[at] = Some(answer.map_err(|error| told(&error, Operation::SetMany, &writes[at].key)));
                    }
                }
                Err(error) => {
                    for (answer, Write { key, .. }) in answers.iter_mut().zip(writes) {
                        answer.get_or_insert_with(|| Err(told(&error, Operation::SetMany, key)));
                    }
                    break;
                }
            }
        }
        answers.into_iter().map(|answer| answer.expect("each write was refused, answered or given up")).collect()
    }

    pub(crate) async fn delete_in_pieces(&self, keys: &[Key]) -> Vec<Result<()>> {
        let mut answers = Vec::with_capacity(keys.len());
        for piece in keys.chunks(MOST_COMMANDS) {
            let mut commands = redis::Pipeline::with_capacity(piece.len());
            for key in piece {
                commands.add_command(remove(key));
            }
            match self.ask_all(&commands, number).await {
                Ok(counts) => {
                    let told = |(count, key): (Result<i64>, _)| {
                        count.map(|_| ()).map_err(|error| told(&error, Operation::DeleteMany, key))
                    };
                    answers.extend(counts.into_iter().zip(piece).map(told));
                }
                Err(error) => {
                    let rest = &keys[answers.len()..];
                    answers.extend(rest.iter().map(|key| Err(told(&error, Operation::DeleteMany, key))));
                    break;
                }
            }
        }
        answers
    }
}

fn told(error: &Error, operation: Operation, key: &Key) -> Error {
    error.clone().with_operation(operation).with_key(key)
}

/// The most keys of a piece: a server serves nobody else while it answers one MGET.
const MOST_COMMANDS: usize = 1_000;
/// The most bytes of values in a piece of several writes.
const MOST_BYTES: usize = 16 << 20;
