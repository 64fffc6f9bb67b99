# A crawler that fetches two pages at a time, each once.
import asyncio

LINKS = {
    "home": ["news", "about", "shop"],
    "news": ["home", "today"],
    "shop": ["about", "cart"],
}


class Crawler:
    def __init__(self, group):
        self.group = group
        self.limit = asyncio.Semaphore(2)
        self.seen = []

    def visit(self, page):
        if page not in self.seen:
            self.seen.append(page)
            self.group.create_task(self.fetch(page))

    async def fetch(self, page):
        async with self.limit:
            print("fetching", page)
            await asyncio.sleep(len(page))
        for link in LINKS.get(page, []):
            self.visit(link)


async def main():
    async with asyncio.TaskGroup() as group:
        crawler = Crawler(group)
        crawler.visit("home")
    print("seen:", *crawler.seen)


asyncio.run(main())
