-- The load of `wrk.py`, for wrk: one kind of request over a range of objects, and a line of JSON at the end.
-- Arguments after `--`: kind (or one request that is always the same, as `METHOD path body`), token, number of objects, a mark that no other run uses; for kinds that take every
-- object once: the first one, how many there are, and (`cold`) a file with a key a line.

local kind, token, objects, mark, first, limit
local keys = {}
local threads = 0

function setup(thread)
  thread:set("number", threads)
  threads = threads + 1
end

local function headers(body, key)
  local all = { ["Authorization"] = "Bearer " .. (key or token) }
  if body then all["Content-Type"] = body:match("^[{[]") and "application/json" or "application/x-www-form-urlencoded" end
  return all
end

local function tokens(rest, body, method)
  return wrk.format(method or "GET", "/api/v3/core/tokens/" .. rest, headers(body), body)
end

-- Every kind answers a function from the number of an object to a request.
local kinds = {
  bytes = function() return wrk.format("GET", "/bytes", headers()) end,
  read = function(n) return wrk.format("GET", "/read/" .. n, headers()) end,
  get = function(n) return tokens("bench-" .. n .. "/") end,
  page = function(n) return tokens("?page_size=20&page=" .. math.floor(n / 20) + 1) end,
  first = function() return tokens("?page_size=20&page=1") end,
  middle = function(n) return tokens("?page_size=20&page=" .. math.floor(objects / 40) + n % 20 - 10) end,
  filter = function(n) return tokens("?identifier=bench-" .. n) end,
  me = function() return wrk.format("GET", "/api/v3/core/users/me/", headers()) end,
  events = function() return wrk.format("GET", "/api/v3/events/events/?page_size=20", headers()) end,
  post = function(n)
    local body = '{"identifier":"' .. mark .. "-" .. number .. "-" .. n .. '","description":"made under load"}'
    return tokens("", body, "POST")
  end,
  patch = function(n) return tokens("bench-" .. n .. "/", '{"description":"changed under load, ' .. n .. ' times"}', "PATCH") end,
  delete = function(n) return tokens("bench-" .. n .. "/", nil, "DELETE") end,
  cold = function(n) return wrk.format("GET", "/api/v3/core/users/me/", headers(nil, keys[n + 1])) end,
}

-- The same request every time, whichever object it is.
local function always(method, path, body)
  if body == "" then body = nil end
  local request = wrk.format(method, path, headers(body), body)
  return function() return request end
end

local made, counter, count, share = {}, 0, 0, nil

-- The nth object, from all over the range and in no order.
local function spread(n)
  return math.floor(n * 7919 % count * objects / count)
end

-- Milliseconds before a request of a connection, and none if there is nothing to wait for: wrk asks every time.
local pause = tonumber(os.getenv("LOAD_PAUSE") or "0")
if pause > 0 then
  function delay() return pause end
end

function init(arguments)
  kind, token, objects, mark = arguments[1], arguments[2], tonumber(arguments[3]), arguments[4]
  count = math.min(objects, 20000)
  local method, path, body = kind:match("^(%u+) (%S+) ?(.*)$")
  if method then kinds[kind] = always(method, path, body) end
  if arguments[5] then
    first, limit = tonumber(arguments[5]), tonumber(arguments[6])
    if arguments[7] then for line in io.lines(arguments[7]) do keys[#keys + 1] = line end end
    share = math.floor(limit / 2)
    -- A connection that has nothing left to ask for waits for the end.
    function delay() return counter < share and 0 or 3600000 end
  elseif kind ~= "post" then
    -- Requests that may be repeated are put together beforehand, so that wrk does not measure itself.
    for n = 1, count do made[n] = kinds[kind](spread(n)) end
  end
  counter = share and 0 or number * math.floor(count / 2)
end

function request()
  counter = counter + 1
  if share then return kinds[kind](spread(first + (counter - 1) * 2 + number)) end
  return made[counter % count + 1] or kinds[kind](counter)
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"microseconds":%d,"mean":%.1f,"p50":%d,"p99":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency.mean, latency:percentile(50), latency:percentile(99),
    e.status, e.connect + e.read + e.write + e.timeout))
end
