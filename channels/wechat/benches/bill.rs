//! A million rows through the reader of trade bills: rows a second, and what it costs in memory.

use std::fs;
use std::io::{self, Read};
use std::time::Instant;

use metropay_channel_wechat::fuzz::trades;

const ROWS: u64 = 1_000_000;

const HEADER: &str = "\u{feff}交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,\
    应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,\
    订单金额,申请退款金额,费率备注\r\n";

/// A bill that is made as it is read, so that the bill itself takes no memory.
struct Made {
    next: u64,
    waiting: io::Cursor<Vec<u8>>,
}

impl Read for Made {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.waiting.read(buffer)?;
        if read > 0 || self.next > ROWS + 1 {
            return Ok(read);
        }
        let text = match self.next {
            0 => HEADER.to_owned(),
            n if n <= ROWS => format!(
                "`2025-03-01 12:34:58,`wxd0b1c2a3948576f0,`1900009999,`1900012345,`,`420000000020250301{n:010},\
                 `MC20250301{n:021},`oTEST0000000000000000000001A,`PAP,`SUCCESS,`CMB_DEBIT,`CNY,`12.80,`0.00,`0,`0,`0.00,`0.00,\
                 `,`,`示例便利店-消费,`store=S0001,`0.08000,`0.60%,`12.80,`0.00,`\r\n"
            ),
            _ => format!(
                "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n\
                 `{ROWS},`{0}.00,`0.00,`0.00,`0.00,`{0}.00,`0.00\r\n",
                ROWS * 1_280 / 100
            ),
        };
        self.next += 1;
        self.waiting = io::Cursor::new(text.into_bytes());
        self.waiting.read(buffer)
    }
}

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn main() {
    let (before, begun, mut rows) = (peak(), Instant::now(), 0u64);
    let made = Made {
        next: 0,
        waiting: io::Cursor::default(),
    };
    let read = trades(made, &mut |row| {
        rows += u64::from(row.amount.get() == 1_280);
        true
    });
    assert_eq!((read, rows), (Ok(()), ROWS));
    let taken = begun.elapsed();
    let rate = u128::from(rows) * 1_000 / taken.as_millis().max(1);
    println!(
        "{rows} rows in {taken:?}: {rate} rows a second; peak memory {before} KiB before, {} KiB after",
        peak()
    );
}
