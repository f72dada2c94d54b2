//! A million rows through the reader of bills: rows a second, and how much memory that takes. It must stay flat.
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark stops where something is not as it must be"
)]

use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::time::Instant;

use encoding_rs::GB18030;
use metropay_channel_alipay::bench::trades;
use metropay_core::clock::Day;
use zip::write::{SimpleFileOptions, ZipWriter};

const ROWS: u64 = 1_000_000;

const HEAD: &str = "#支付宝业务明细查询\r\n#账号：[20880000000000010156]\r\n\
#起始日期：[2026年03月01日 00:00:00]   终止日期：[2026年03月02日 00:00:00]\r\n#----业务明细列表----\r\n\
支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,\
支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,\
退款批次号/请求号,服务费（元）,分润（元）,备注\r\n";

/// The archive of a day with so many payments, in a file without a name.
fn archive() -> File {
    let file = tempfile::tempfile().unwrap();
    let mut zip = ZipWriter::new(BufWriter::new(file));
    let gbk = |text: &str| GB18030.encode(text).0.into_owned();
    let name = gbk("20880000000000010156_20260301_业务明细.csv");
    let options = SimpleFileOptions::default().name(&name);
    zip.start_file_with_options(options).unwrap();
    zip.write_all(&gbk(HEAD)).unwrap();
    for place in 0..ROWS {
        let (minute, second) = (place / 60 % 60, place % 60);
        let row = format!(
            "20260301220014000014{place:08}\t,MT20260301{place:010}\t,交易\t,地铁便利店 消费码,2026-03-01 08:{minute:02}:{second:02},\
             2026-03-01 08:{minute:02}:{second:02},S031\t,三号线店\t,\t,\t,**明(159******20)\t,4.50,4.50,0.00,0.00,1.00,0.00,\
             0.00,,0.00\t,0.00,\t,-0.02,0.00,\r\n"
        );
        zip.write_all(&gbk(&row)).unwrap();
    }
    let (yuan, fen) = (ROWS * 450 / 100, ROWS * 450 % 100);
    let tail = format!(
        "#----业务明细列表结束----\r\n#交易合计：{ROWS}笔，商家实收共{yuan}.{fen:02}元，商家优惠共0.00元\r\n\
         #退款合计：0笔，商家实收退款共0.00元，商家优惠退款共0.00元\r\n"
    );
    zip.write_all(&gbk(&tail)).unwrap();
    let mut file = zip.finish().unwrap().into_inner().unwrap();
    file.rewind().unwrap();
    file
}

/// The most memory that this process ever held, in KiB, as the system counts it.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn main() {
    let file = archive();
    let packed = file.metadata().unwrap().len();
    let before = peak_kib();
    let begun = Instant::now();
    let (mut rows, mut fen) = (0_u64, 0_u64);
    trades(file, Day(20_260_301), &mut |row| {
        rows += 1;
        fen += row.amount.get();
        true
    })
    .unwrap();
    let took = begun.elapsed();
    assert_eq!((rows, fen), (ROWS, ROWS * 450));
    let per_second = u128::from(rows) * 1_000_000 / took.as_micros().max(1);
    println!(
        "{rows} rows ({} KiB packed) in {} ms: {per_second} rows a second; peak memory {before} KiB before, {} KiB after",
        packed / 1024,
        took.as_millis(),
        peak_kib()
    );
}
