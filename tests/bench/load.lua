-- The load of `run.py`, for wrk: one kind of request over a range of objects, and a line of JSON at the end.
-- Arguments after `--`: kind, token, number of objects, a mark that no other run uses.

local kind, token, objects, mark
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local function headers(body)
  local all = { ["Authorization"] = "Bearer " .. token }
  if body then all["Content-Type"] = "application/json" end
  return all
end

-- Every kind answers a function from a counter to a request.
local kinds = {
  bytes = function() return wrk.format("GET", "/bytes", headers()) end,
  read = function(n) return wrk.format("GET", "/read/" .. n % objects, headers()) end,
  get = function(n) return wrk.format("GET", "/api/v3/core/tokens/bench-" .. n % objects .. "/", headers()) end,
  page = function(n)
    local path = "/api/v3/core/tokens/?page_size=20&page=" .. n % math.floor(objects / 20) + 1
    return wrk.format("GET", path, headers())
  end,
  post = function(n)
    local body = '{"identifier":"' .. mark .. "-" .. number .. "-" .. n .. '","description":"made under load"}'
    return wrk.format("POST", "/api/v3/core/tokens/", headers(body), body)
  end,
  patch = function(n)
    local body = '{"description":"changed under load, ' .. n .. ' times"}'
    return wrk.format("PATCH", "/api/v3/core/tokens/bench-" .. n % objects .. "/", headers(body), body)
  end,
}

local made, counter = {}, 0

function init(arguments)
  kind, token, objects, mark = arguments[1], arguments[2], tonumber(arguments[3]), arguments[4]
  -- Requests that may be repeated are put together beforehand, so that wrk does not measure itself.
  if kind ~= "post" then
    for n = 1, objects do made[n] = kinds[kind](n) end
  end
  counter = number * 500
end

function request()
  counter = counter + 1
  return made[counter % objects + 1] or kinds[kind](counter)
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"microseconds":%d,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
