// The host of the program: its clock, its timer, its promises, and a server to fetch from.
//     node run.mjs PROGRAM.wasm

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'

let aborted = 0
const server = createServer((request, response) => {
    if (request.url === '/never') {
        response.on('close', () => (aborted += 1))
    } else {
        response.statusCode = request.url === '/nowhere' ? 404 : 200
        response.end(`text of ${request.url}`)
    }
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const address = `http://127.0.0.1:${server.address().port}`

const lines = []
const fetches = new Map()
let turns = 0
let notified = 0
let timer
// The bytes of the promise that is being settled.
let taking
let exports
let program

const bytesAt = (at, length) => new Uint8Array(exports.memory.buffer, at, length)
const textAt = (at, length) => new TextDecoder().decode(bytesAt(at, length))

// Sets the one timer, by which the next turn runs. A host's timer has a longest time.
function runAfter(milliseconds) {
    clearTimeout(timer)
    if (milliseconds < Infinity) {
        timer = setTimeout(runTurn, Math.min(Math.ceil(milliseconds), 2 ** 31 - 1))
    }
}

function runTurn() {
    turns += 1
    runAfter(exports.turn(program))
}

function settle(number, isFulfilled, text) {
    if (!fetches.delete(number)) return
    taking = new TextEncoder().encode(text)
    exports.settled(program, number, isFulfilled, taking.length)
}

let ended
const end = new Promise((resolve) => (ended = resolve))

const host = {
    now: () => performance.now(),
    notify() {
        notified += 1
        runAfter(0)
    },
    fetch(number, at, length) {
        const control = new AbortController()
        fetches.set(number, control)
        fetch(address + textAt(at, length), { signal: control.signal })
            .then(async (response) => {
                const text = await response.text()
                if (!response.ok) throw new Error(`status ${response.status}`)
                settle(number, true, text)
            })
            .catch((error) => settle(number, false, error.message))
    },
    abort(number) {
        const control = fetches.get(number)
        fetches.delete(number)
        control.abort()
    },
    take: (to, length) => bytesAt(to, length).set(taking),
    print(at, length) {
        const line = textAt(at, length)
        lines.push(line)
        console.log(line)
        // The program waits for an hour from now on: this is what a button would do.
        if (line === 'cancel: waiting') setTimeout(() => runAfter(exports.cancel(program)), 10)
    },
    ended: (well) => ended(well !== 0),
}

const module = await WebAssembly.instantiate(await readFile(process.argv[2]), { host })
exports = module.instance.exports
program = exports.start()
runAfter(0)
assert(await end, 'the program has failed')
runAfter(Infinity)
exports.end(program)
server.closeAllConnections()
server.close()
await once(server, 'close')

assert.deepEqual(lines, [
    'timer: first',
    'timer: second',
    'timer: slept for 30 ms',
    'fetch: text of /one',
    'fetch: text of /two, text of /three, /nowhere: status 404',
    'limit: TimeoutError',
    'cancel: waiting',
    'cancel: Err(CancelledError()), cleaned up: true',
    'done',
])
assert.equal(aborted, 1, 'the limit aborts its fetch')
assert.equal(fetches.size, 0, 'promises left')
// Four fetches settle between turns, of which several may settle before one turn, and one call cancels.
assert(notified >= 3 && notified <= 5, `${notified} notified`)
// It takes 18 turns. A timer of the host's may fire up to a millisecond early, and is set once more then.
// A loop that is polled each millisecond makes 60 turns and more.
assert(turns >= 12 && turns <= 30, `${turns} turns`)
