//! A day's bill, out of the books, with what was planted into it.

use metropay_core::clock::{Day, Time};
use metropay_core::money::Fen;

use super::{Moved, Stub};
use crate::fault::BillFault;
use crate::gateway::{Entry, Way};

/// A line of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The merchant's number of the movement.
    pub no: String,
    /// The merchant's number of the payment.
    pub payment_no: String,
    /// The gateway's number of the payment.
    pub channel_no: String,
    /// Paid, or back.
    pub way: Way,
    /// How much.
    pub amount: Fen,
    /// What the gateway took for it.
    pub fee: Fen,
    /// Whether it came to nothing.
    pub failed: bool,
    /// When.
    pub at: Time,
}

impl Stub {
    /// The lines of a day, with the differences that were planted for this account, and whether the file is to be cut off.
    /// `None` where the bill is not made: the day is not over, or the script says so.
    pub fn bill(&self, account: &str, day: Day) -> Option<(Vec<Line>, bool)> {
        let now = self.now();
        let mut memory = self.memory();
        let planted: Vec<BillFault> = {
            let own = memory.planted.iter().filter(|(of, _)| of == account);
            own.map(|(_, fault)| fault.clone()).collect()
        };
        memory.planted.retain(|(of, _)| of != account);
        if now < day.end() || planted.contains(&BillFault::NotReady) {
            return None;
        }
        let of_day = memory.books.iter();
        let of_day = of_day.filter(|moved| moved.account == account && moved.at.day() == day);
        let mut lines: Vec<Line> = of_day.map(line).collect();
        for fault in &planted {
            plant(&mut lines, fault, day);
        }
        Some((lines, planted.contains(&BillFault::CutOff)))
    }

    /// Plants a difference into the next bill of this account that is fetched.
    pub fn plant(&self, account: &str, fault: &BillFault) {
        self.memory().planted.push((account.to_owned(), fault.clone()));
    }

    /// Lets so many payments of one fen stand in the books of this account.
    pub fn fill_books(&self, account: &str, rows: u32) {
        let now = self.now();
        let mut memory = self.memory();
        for row in 0..rows {
            let no = format!("F{row:08}");
            let entry = Entry {
                no: no.clone(),
                payment_no: no,
                way: Way::Paid,
                amount: Fen::new(1).unwrap_or(Fen::ZERO),
            };
            let channel_no = memory.number();
            memory.books.push(Moved {
                account: account.to_owned(),
                channel_no,
                at: now,
                entry,
            });
        }
    }
}

fn line(moved: &Moved) -> Line {
    Line {
        no: moved.entry.no.clone(),
        payment_no: moved.entry.payment_no.clone(),
        channel_no: moved.channel_no.clone(),
        way: moved.entry.way,
        amount: moved.entry.amount,
        fee: Fen::ZERO,
        failed: false,
        at: moved.at,
    }
}

fn plant(lines: &mut Vec<Line>, fault: &BillFault, day: Day) {
    let change = |lines: &mut Vec<Line>, no: &str, change: &dyn Fn(&mut Line)| {
        lines.iter_mut().filter(|line| line.no == no).for_each(change);
    };
    match fault {
        BillFault::NotReady | BillFault::CutOff => {}
        BillFault::Doubled => lines.extend_from_within(..),
        BillFault::Missing(no) => lines.retain(|line| line.no != *no),
        BillFault::Extra(no, amount) => lines.push(Line {
            no: no.clone(),
            payment_no: no.clone(),
            channel_no: "9999999999999999".to_owned(),
            way: Way::Paid,
            amount: *amount,
            fee: Fen::ZERO,
            failed: false,
            at: day.start(),
        }),
        BillFault::Amount(no, amount) => change(lines, no, &|line| line.amount = *amount),
        BillFault::Fee(no, fee) => change(lines, no, &|line| line.fee = *fee),
        BillFault::State(no) => change(lines, no, &|line| line.failed = true),
    }
}
