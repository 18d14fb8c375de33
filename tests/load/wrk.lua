-- One request of wrk: reads what to ask from the environment, and prints one line of figures at the end.
--   LOAD_METHOD   GET, POST or PUT
--   LOAD_PATHS    a file with one path a line, asked in turn; or
--   LOAD_PREFIX   with LOAD_SUFFIX, a path around a number that is never used twice
--   LOAD_BODY     a file with the body
--   LOAD_HEADERS  a file with one "Name: value" a line; {name} becomes the number's name in base64 (tus metadata)
local method = os.getenv("LOAD_METHOD") or "GET"
local prefix, suffix = os.getenv("LOAD_PREFIX"), os.getenv("LOAD_SUFFIX") or ""
local paths, headers, body, count = {}, {}, nil, 0

local function read(variable)
  local path = os.getenv(variable)
  if not path or path == "" then return nil end
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

function init()
  body = read("LOAD_BODY")
  for line in (read("LOAD_PATHS") or ""):gmatch("[^\n]+") do paths[#paths + 1] = line end
  for line in (read("LOAD_HEADERS") or ""):gmatch("[^\n]+") do
    local name, value = line:match("^([^:]+):%s*(.*)$")
    headers[name] = value
  end
end

function request()
  count = count + 1
  local path = #paths > 0 and paths[(count - 1) % #paths + 1] or prefix .. count .. suffix
  return wrk.format(method, path, headers, body)
end

-- requests per second, milliseconds at the median and the 95th percentile, answers that are no success
function done(summary, latency)
  local e = summary.errors
  io.write(string.format("figures %.1f %.3f %.3f %d\n", summary.requests / (summary.duration / 1e6),
    latency:percentile(50) / 1000, latency:percentile(95) / 1000, e.status + e.connect + e.read + e.write + e.timeout))
end
