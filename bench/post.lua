-- wrk's side of the measurements: POSTs of 1 KiB, and one line of JSON at the end.
local before, after = '{"inputs":[{"name":"x","datatype":"FP32","shape":[1,30],"data":[0.5]}],"note":"', '"}'
wrk.method = "POST"
wrk.body = before .. string.rep("x", 1024 - #before - #after) .. after
wrk.headers["Content-Type"] = "application/json"

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests":%d,"duration_us":%d,"errors":%d,"kinds":"connect %d, read %d, write %d, status %d, timeout %d",' ..
      '"p50_us":%.0f,"p99_us":%.0f}\n',
    summary.requests, summary.duration, e.connect + e.read + e.write + e.status + e.timeout,
    e.connect, e.read, e.write, e.status, e.timeout, latency:percentile(50), latency:percentile(99)))
end
