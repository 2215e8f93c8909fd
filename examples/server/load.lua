-- SPDX-License-Identifier: MIT
--
-- A load for wrk: each request with a traceparent and a user of its own, and the user stands in the
-- id. What each request does carries the id too, as a "tag" that the server takes for data: in the
-- log and in the rows the tag says whose they really are, whatever names the server put beside it.
--
--   wrk ... -s load.lua URL -- NUMBER PIPELINE FILE
--
-- NUMBER tells this run from others; PIPELINE is how many requests a connection sends at a time;
-- FILE with wrk's thread added to its name gets a line "STATUS ID" for every response, with FOREIGN
-- for the status if no such request of this thread waits for a response.

local threads = 0

function setup(thread)
        thread:set("thread_number", threads)
        threads = threads + 1
end

function init(args)
        run = tonumber(args[1])
        pipeline = tonumber(args[2])
        file = io.open(args[3] .. thread_number, "w")
        count = 0
        waiting = {}
end

local function one()
        count = count + 1
        local code = string.format("%02x%02x%04x", run, thread_number, count % 499)
        local trace = code .. string.format("%024x", count)
        local id = "00-" .. trace .. string.format("-%016x-01", count)
        local user = "u" .. code
        local tag = "tag-" .. trace
        local header = {["traceparent"] = id}
        waiting[id] = true

        local kind = count % 10
        if count % 200 == 199 then
                header["X-User"] = user
                return wrk.format("GET", "/slow?ms=60000&text=" .. tag, header)
        elseif kind < 5 then
                header["X-User"] = user
                return wrk.format("POST", "/notes?tag=" .. tag, header, tag)
        elseif kind < 7 then
                return wrk.format("GET", "/notes?user=" .. user .. "&tag=" .. tag, header)
        else
                return wrk.format("GET", "/fan?text=" .. tag .. "&user=" .. user, header)
        end
end

function request()
        local all = {}
        for i = 1, pipeline do
                all[i] = one()
        end
        return table.concat(all)
end

function response(status, headers)
        local id = headers["traceparent"]
        if id and waiting[id] then
                waiting[id] = nil
        else
                status = "FOREIGN"
        end
        file:write(status, " ", id or "none", "\n")
end
