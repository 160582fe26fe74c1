// Run several suites in one process: loading the SDK takes longer than most suites.
for (const suite of JSON.parse(process.env.SUITES)) await import(`./${suite}`);
