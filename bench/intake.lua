-- wrk script: posts pre-signed bodies from a pool file, each one once, then from the start again.
-- environment: POOL (one "signature TAB body" a line), HEADER, PREFIX
local requests, at = {}, 0

function init(args)
  local header, prefix = os.getenv("HEADER"), os.getenv("PREFIX") or ""
  for line in io.lines(os.getenv("POOL")) do
    local cut = line:find("\t", 1, true)
    local headers = { ["Content-Type"] = "application/json", [header] = prefix .. line:sub(1, cut - 1) }
    requests[#requests + 1] = wrk.format("POST", nil, headers, line:sub(cut + 1))
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency, all)
  local errors = summary.errors
  io.write(string.format("RESULT %d %d %d %.3f %.3f\n", summary.requests, summary.duration, errors.status + errors.connect
    + errors.read + errors.write + errors.timeout, latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
