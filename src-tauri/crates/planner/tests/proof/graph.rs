//! Graphs: who can reach whom, and what the dumb points carry.

use rand::RngExt;
use rand::rngs::StdRng;

use crate::history::Vertex;

/// What stands at a vertex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A computer that runs the program.
    Node,
    /// A place that runs nothing of ours.
    Point { git: bool, contents: bool },
}

/// A point that carries names and contents.
pub const POINT: Kind = Kind::Point { git: true, contents: true };

/// A graph. A link joins a node to a node or to a point; it is used in both directions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Graph {
    pub vertices: Vec<Kind>,
    pub links: Vec<(Vertex, Vertex)>,
    /// Links of which at most one works at a time: the ends between which a drive is carried.
    pub carried: Vec<usize>,
    /// For each vertex its links and the vertex at their other end.
    adjacent: Vec<Vec<(usize, Vertex)>>,
}

impl Graph {
    pub fn add(&mut self, kind: Kind) -> Vertex {
        self.vertices.push(kind);
        self.adjacent.push(Vec::new());
        self.vertices.len() - 1
    }

    pub fn link(&mut self, a: Vertex, b: Vertex) -> usize {
        assert!(
            [a, b].iter().any(|vertex| self.vertices[*vertex] == Kind::Node),
            "a link between two points has nobody to use it"
        );
        let link = self.links.len();
        self.links.push((a, b));
        self.adjacent[a].push((link, b));
        self.adjacent[b].push((link, a));
        link
    }

    pub fn nodes(&self) -> impl Iterator<Item = Vertex> + '_ {
        (0..self.vertices.len()).filter(|vertex| self.vertices[*vertex] == Kind::Node)
    }

    /// The link between two vertices.
    pub fn between(&self, a: Vertex, b: Vertex) -> Option<usize> {
        let (near, far) = if self.adjacent[a].len() <= self.adjacent[b].len() { (a, b) } else { (b, a) };
        self.adjacent[near].iter().find(|(_, vertex)| *vertex == far).map(|(link, _)| *link)
    }

    /// The links at a vertex, and where they lead.
    pub fn neighbours(&self, vertex: Vertex) -> &[(usize, Vertex)] {
        &self.adjacent[vertex]
    }

    /// How many links there are at most between a vertex and any other.
    pub fn reach_of(&self, vertex: Vertex) -> u64 {
        let mut seen = vec![false; self.vertices.len()];
        seen[vertex] = true;
        let (mut edge, mut hops) = (vec![vertex], 0);
        loop {
            let next: Vec<Vertex> =
                edge.iter().flat_map(|at| &self.adjacent[*at]).map(|(_, to)| *to).collect();
            edge = next.into_iter().filter(|to| !std::mem::replace(&mut seen[*to], true)).collect();
            if edge.is_empty() {
                return hops;
            }
            hops += 1;
        }
    }

    fn of_nodes(nodes: usize) -> Self {
        let mut graph = Self::default();
        (0..nodes).for_each(|_| {
            graph.add(Kind::Node);
        });
        graph
    }

    /// How many ways there are for a node to use a link: the unit in which the cost of a change is counted.
    pub fn uses(&self) -> u64 {
        let ends = self.links.iter().flat_map(|(a, b)| [*a, *b]);
        ends.filter(|vertex| self.vertices[*vertex] == Kind::Node).count() as u64
    }

    /// Joins two nodes: directly, over a point, or over a point for names and another one for contents.
    pub fn join(&mut self, a: Vertex, b: Vertex, how: u32) {
        match how % 3 {
            0 => {
                self.link(a, b);
            }
            1 => {
                let point = self.add(POINT);
                self.link(a, point);
                self.link(b, point);
            }
            _ => {
                for (git, contents) in [(true, false), (false, true)] {
                    let point = self.add(Kind::Point { git, contents });
                    self.link(a, point);
                    self.link(b, point);
                }
            }
        }
    }

    /// Nodes in a row; with `ring`, the last one joined to the first.
    pub fn line(nodes: usize, ring: bool, how: impl Fn(usize) -> u32) -> Self {
        let mut graph = Self::of_nodes(nodes);
        for node in 1..nodes {
            graph.join(node - 1, node, how(node));
        }
        if ring && nodes > 2 {
            graph.join(nodes - 1, 0, how(0));
        }
        graph
    }

    /// Nodes around one point.
    pub fn star(nodes: usize) -> Self {
        let mut graph = Self::of_nodes(nodes);
        let hub = graph.add(POINT);
        (0..nodes).for_each(|node| {
            graph.link(node, hub);
        });
        graph
    }

    /// A tree in which each node has `children` of them.
    pub fn tree(nodes: usize, children: usize, how: impl Fn(usize) -> u32) -> Self {
        let mut graph = Self::of_nodes(nodes);
        (1..nodes).for_each(|node| graph.join((node - 1) / children, node, how(node)));
        graph
    }

    /// Stars whose first nodes meet at one more point.
    pub fn star_of_stars(stars: usize, nodes: usize) -> Self {
        let mut graph = Self::default();
        let middle = graph.add(POINT);
        for _ in 0..stars {
            let hub = graph.add(POINT);
            for index in 0..nodes {
                let node = graph.add(Kind::Node);
                graph.link(node, hub);
                if index == 0 {
                    graph.link(node, middle);
                }
            }
        }
        graph
    }

    /// Two stars with nothing between them but a drive that is carried to and fro.
    pub fn islands(nodes: usize) -> Self {
        let mut graph = Self::default();
        let drive = graph.add(POINT);
        for _ in 0..2 {
            let hub = graph.add(POINT);
            for index in 0..nodes {
                let node = graph.add(Kind::Node);
                graph.link(node, hub);
                if index == 0 {
                    let link = graph.link(node, drive);
                    graph.carried.push(link);
                }
            }
        }
        graph
    }

    /// Any connected graph of about so many vertices.
    pub fn random(vertices: usize, rng: &mut StdRng) -> Self {
        let mut graph = Self::default();
        graph.add(Kind::Node);
        while graph.vertices.len() < vertices {
            let nodes: Vec<Vertex> = graph.nodes().collect();
            let old = nodes[rng.random_range(0..nodes.len())];
            let points: Vec<Vertex> =
                (0..graph.vertices.len()).filter(|vertex| graph.vertices[*vertex] == POINT).collect();
            let new = graph.add(Kind::Node);
            if !points.is_empty() && rng.random_bool(0.4) {
                graph.link(new, points[rng.random_range(0..points.len())]);
            } else {
                graph.join(old, new, rng.random_range(0..3));
            }
        }
        for _ in 0..rng.random_range(0..=vertices / 5) {
            let nodes: Vec<Vertex> = graph.nodes().collect();
            let a = nodes[rng.random_range(0..nodes.len())];
            let b = rng.random_range(0..graph.vertices.len());
            if a != b && graph.between(a, b).is_none() {
                graph.link(a, b);
            }
        }
        graph
    }
}
